package canary

import (
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/slipway-cd/slipway/internal/step/canary/compare"
)

// formatCount formats 2810 as 2,810.
func formatCount(n int64) string {
	digits := strconv.FormatInt(n, 10)
	for i := len(digits) - 3; i > 0 && digits[i-1] != '-'; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// formatShare returns "12 of 300 failed (4.00 %)".
func formatShare(c compare.Count, what string) string {
	return fmt.Sprintf("%s of %s%s (%.2f %%)", formatCount(c.Failed), formatCount(c.Total), what, 100*c.Rate())
}

// formatConfidence rounds down: 99.97 % is not 100 %.
func formatConfidence(chance float64) string {
	if chance < 0.0001 {
		return "more than 99.99 % confidence"
	}
	return fmt.Sprintf("%.1f %% confidence", math.Floor(1000*(1-chance))/10)
}

func formatLatency(q compare.Quantile) string {
	d := time.Duration(q.Seconds * float64(time.Second))
	text := d.Round(max(d/1000, time.Microsecond).Truncate(time.Microsecond)).String()
	if q.AboveRange {
		return "above " + text
	}
	return text
}
