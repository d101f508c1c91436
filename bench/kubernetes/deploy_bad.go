package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/slipway-cd/slipway/bench/measure"
)

// maxRollback is how soon Slipway has to be back.
const maxRollback = 10 * time.Second

// badBehaviours are the bad releases.
func badBehaviours() []string { return []string{crashes, neverReady} }

// measureBad brings bad releases in with Slipway. The time counts from the deploy step.
func (b *bench) measureBad(ctx context.Context, f *contenders) error {
	for _, kind := range badBehaviours() {
		for _, e := range []*entrant{f.rolling, f.blueGreen} {
			var all []measurement
			for range b.badRounds {
				o, err := measureDeploy(ctx, e, b.newRelease(kind), e.serving, goodTimeout)
				if err != nil {
					return err
				}
				b.logf("%s: %s: said %.2f s, good one alone %.2f s, failed %d of %d%s", e.namespace().toolName, kind,
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
	worst, ok := measure.Quantile(back, 1), true
	for _, o := range all {
		ok = ok && o.reached
	}
	what := fmt.Sprintf("bad release (%s), %s: good one alone again", kind, e.namespace().toolName)
	b.Add(what, "<= 10 s", fmt.Sprintf("%.2f s, at most %.2f s (of %d)", measure.Median(back).Seconds(), worst.Seconds(), len(all)), ok && worst <= maxRollback)
	b.addFailures(e, "  requests failed under 100/s", all)
}

// measureTimeouts brings bad releases in with those that wait for the end of a time. They
// do so side by side: they have nothing else to do.
func (b *bench) measureTimeouts(ctx context.Context, f *contenders) error {
	most := 2*b.timeout + time.Minute // until it gave up, until it gave up to go back
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
	text := fmt.Sprintf("%.2f s (told to wait %.0f s; command done after %.2f s)", o.converged.Seconds(), b.timeout.Seconds(), o.commandTime.Seconds())
	switch {
	case o.wrongVerdict:
		text = fmt.Sprintf("it says that it is good, after %.2f s", o.commandTime.Seconds())
	case !o.reached:
		text = fmt.Sprintf("not within %.0f s; command done after %.2f s", most.Seconds(), o.commandTime.Seconds())
	}
	b.Note(fmt.Sprintf("bad release (%s), %s: good one alone again", kind, e.namespace().toolName), text)
	b.addFailures(e, "  requests failed under 100/s", []measurement{o})
}
