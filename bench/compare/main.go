// Command compare measures this tree beside an earlier commit, in one run, and prints the
// ratios: requests through the front proxy, the overhead of a step, and the start of the
// program. Both are measured in each round, so that other load of the machine is the
// same for both.
//
//	go run ./bench/compare BASE
//
// BASE is built in a temporary worktree. The exit code is 1 if a ratio is above 1.1.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/slipway-cd/slipway/bench/measure"
)

// maxRatio is how much slower this tree may be, as a factor of time.
const maxRatio = 1.1

// maxDuration is the maximum duration, including the builds.
const maxDuration = 20 * time.Minute

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, maxDuration)
	defer cancel()
	if len(os.Args) != 2 || os.Args[1] == "" {
		fmt.Fprintln(os.Stderr, "usage: compare COMMIT (make bench-compare BASE=COMMIT)")
		os.Exit(2)
	}
	slower, err := run(ctx, os.Args[1], os.Stdout)
	if err != nil {
		fmt.Fprintln(os.Stderr, "compare:", err)
		os.Exit(2)
	}
	if slower {
		os.Exit(1)
	}
}

// subject is what one part compares, in two versions.
type subject struct {
	what  string
	take  func(ctx context.Context, of build) (time.Duration, error) // the less the better
	times int
}

func run(ctx context.Context, base string, out io.Writer) (slower bool, err error) {
	work, err := os.MkdirTemp("", "slipway-compare-")
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, measure.RemoveAll(work)) }()
	before, after, remove, err := buildBoth(ctx, base, work)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, remove()) }()
	started := time.Now()
	var table measure.Table
	for _, s := range []subject{
		{"front proxy: time per request, 32 clients", measureFront, 9},
		{"a durable step that does nothing, 100 one after another", measureStep, 9},
		{"slipway version", measureVersion, 9},
	} {
		fmt.Fprintln(os.Stderr, "compare:", s.what)
		ours, theirs, err := takeBoth(ctx, s, after, before)
		if err != nil {
			return false, fmt.Errorf("%s: %w", s.what, err)
		}
		// Other load of the machine only adds time: the fastest rounds have least of it.
		ratio := slices.Min(ours).Seconds() / slices.Min(theirs).Seconds()
		median, lowest, highest := measure.Ratios(ours, theirs)
		table.Note(s.what, fmt.Sprintf("%s, and %s in %s", format(slices.Min(ours)), format(slices.Min(theirs)), base))
		table.Add("  this tree / "+base, fmt.Sprintf("<= %.1f", maxRatio), fmt.Sprintf("%.2f (rounds: median %.2f, %.2f to %.2f)", ratio, median, lowest, highest), ratio <= maxRatio)
		slower = slower || ratio > maxRatio
	}
	table.Print(out, time.Since(started))
	return slower, nil
}

// takeBoth measures both in turns, after one round to warm up. Which comes first changes.
func takeBoth(ctx context.Context, s subject, ours, theirs build) (a, b []time.Duration, err error) {
	for round := range s.times + 1 {
		var took [2]time.Duration
		for i := range 2 {
			which := (round + i) % 2
			if took[which], err = s.take(ctx, [2]build{ours, theirs}[which]); err != nil {
				return nil, nil, err
			}
		}
		if round > 0 {
			a, b = append(a, took[0]), append(b, took[1])
		}
	}
	return a, b, nil
}

func format(m time.Duration) string {
	if m < time.Millisecond {
		return fmt.Sprintf("%.1f µs", float64(m.Nanoseconds())/1000)
	}
	return fmt.Sprintf("%.2f ms", measure.Milliseconds(m))
}
