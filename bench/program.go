package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/slipway-cd/slipway/bench/measure"
)

// measureProgram measures the start-up time and the size of the binary.
func (b *bench) measureProgram(ctx context.Context) error {
	var took []time.Duration
	for range 30 {
		start := time.Now()
		if _, err := measure.Exec(ctx, 0, b.work, b.slipway, "version"); err != nil {
			return err
		}
		took = append(took, time.Since(start))
	}
	start := measure.Median(took)
	b.Add("slipway version (median of 30)", "<= 50 ms", fmt.Sprintf("%.0f ms", measure.Milliseconds(start)), start <= 50*time.Millisecond)
	info, err := os.Stat(b.slipway)
	if err != nil {
		return err
	}
	b.Note("binary", fmt.Sprintf("%.0f MB", float64(info.Size())/1e6))
	return nil
}
