package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/slipway-cd/slipway/bench/measure"
	"github.com/slipway-cd/slipway/internal/quantile"
)

// Goals for Slipway, from the start of its deploy step.
const (
	maxCrashes    = 2 * time.Second
	maxNeverReady = 4 * time.Second
)

// badBehaviours are the behaviours of bad releases.
func badBehaviours() []string { return []string{crashes, neverReady} }

// maxRollback is the goal for a bad release until only the good one is running again.
func maxRollback(behaviour string) time.Duration {
	if behaviour == crashes {
		return maxCrashes
	}
	return maxNeverReady
}

// measureBad deploys bad releases with Slipway. Times count from the start of the
// deploy step.
func (b *bench) measureBad(ctx context.Context, f *contenders) error {
	for _, kind := range badBehaviours() {
		for _, e := range []*entrant{f.rolling, f.blueGreen} {
			var all []measurement
			for range b.badRounds {
				o, err := measureDeploy(ctx, e, b.newRelease(kind), e.serving, goodTimeout)
				if err != nil {
					return err
				}
				b.logf("%s: %s: command %.2f s, only the good release %.2f s, failed %d of %d%s", e.namespace().toolName, kind,
					o.commandTime.Seconds(), (o.converged - o.rolloutStart).Seconds(), o.failed, o.requests, measure.Parenthesize(o.firstErr))
				all = append(all, o)
			}
			b.addBadRows(e, kind, all)
		}
	}
	return nil
}

func (b *bench) addBadRows(e *entrant, kind string, all []measurement) {
	back := durations(all, func(o measurement) time.Duration { return o.converged - o.rolloutStart })
	median, worst, ok := measure.Median(back), quantile.Of(back, 1), true
	for _, o := range all {
		ok = ok && o.reached
	}
	what := fmt.Sprintf("bad release (%s), %s: only the good one is running again", kind, e.namespace().toolName)
	goal := maxRollback(kind)
	b.Add(what, fmt.Sprintf("<= %.0f s", goal.Seconds()), fmt.Sprintf("%.2f s, at most %.2f s (of %d)", median.Seconds(), worst.Seconds(), len(all)), ok && median <= goal)
	b.addFailures(e, "  requests failed under 100/s", all)
}

// measureTimeouts deploys bad releases with the tools that detect them by a timeout,
// concurrently, as they are mostly idle.
func (b *bench) measureTimeouts(ctx context.Context, f *contenders) error {
	most := 2*b.timeout + time.Minute // a timeout for the deploy and one for the rollback
	for _, kind := range badBehaviours() {
		outcomes, errs := make([]measurement, len(f.timeoutBased)), make([]error, len(f.timeoutBased))
		var all sync.WaitGroup
		for i, e := range f.timeoutBased {
			r := b.newRelease(kind)
			all.Go(func() { outcomes[i], errs[i] = measureDeploy(ctx, e, r, e.serving, most) })
		}
		all.Wait()
		for i, e := range f.timeoutBased {
			if errs[i] != nil {
				return errs[i]
			}
			e.serving = outcomes[i].serving
			b.addTimeoutRows(e, kind, outcomes[i], most)
		}
	}
	return nil
}

func (b *bench) addTimeoutRows(e *entrant, kind string, o measurement, most time.Duration) {
	text := fmt.Sprintf("%.2f s (timeout %.0f s; command done after %.2f s)", o.converged.Seconds(), b.timeout.Seconds(), o.commandTime.Seconds())
	switch {
	case o.wrongVerdict:
		text = fmt.Sprintf("reported as good after %.2f s", o.commandTime.Seconds())
	case !o.reached:
		text = fmt.Sprintf("not within %.0f s; command done after %.2f s", most.Seconds(), o.commandTime.Seconds())
	}
	b.Note(fmt.Sprintf("bad release (%s), %s: only the good one is running again", kind, e.namespace().toolName), text)
	b.addFailures(e, "  requests failed under 100/s", []measurement{o})
}
