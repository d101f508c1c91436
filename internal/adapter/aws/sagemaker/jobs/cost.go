package jobs

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Price is what an instance costs for an hour.
type Price struct {
	Amount   float64
	Currency string // such as USD
}

// ParsePrice reads "0.30 USD".
func ParsePrice(text string) (Price, bool) {
	number, currency, _ := strings.Cut(strings.TrimSpace(text), " ")
	amount, err := strconv.ParseFloat(number, 64)
	isCode := len(currency) == 3 && currency == strings.ToUpper(currency)
	return Price{amount, currency}, err == nil && isCode && amount > 0 && amount < 1e6
}

// For is what instances cost for a time.
func (p Price) For(d time.Duration, count int) string {
	return fmt.Sprintf("%.2f %s", p.Amount*d.Hours()*float64(max(count, 1)), p.Currency)
}
