package main

import (
	"context"
	"fmt"
	"time"

	"github.com/slipway-cd/slipway/bench/measure"
)

// goodTimeout is the timeout of a good release.
const goodTimeout = 3 * time.Minute

// measureGood deploys good releases with all tools, in rotating order.
func (b *bench) measureGood(ctx context.Context, f *contenders) error {
	for n := range b.rounds {
		for i := range f.all {
			e := f.all[(n+i)%len(f.all)]
			r := b.newRelease(good)
			o, err := measureDeploy(ctx, e, r, r.name, goodTimeout)
			if err != nil {
				return err
			}
			if !o.reached && !mayBeWrong(e) {
				return fmt.Errorf("%s: %s is not the only running release after %s", e.namespace().toolName, r.name, goodTimeout)
			}
			o.wrongVerdict = o.wrongVerdict || !o.reached
			e.serving = o.serving
			e.goodRuns = append(e.goodRuns, o)
			b.logf("%s: command %.2f s, only new responses %.2f s, only the new release %.2f s, failed %d of %d%s",
				e.namespace().toolName, o.commandTime.Seconds(), o.lastOldResponse.Seconds(), o.converged.Seconds(), o.failed, o.requests, measure.Parenthesize(o.firstErr))
		}
	}
	for _, e := range f.all {
		b.addGoodRows(e, f.kubectl)
	}
	return nil
}

func (b *bench) addGoodRows(e, reference *entrant) {
	name := e.namespace().toolName
	said, answered := durations(e.goodRuns, func(o measurement) time.Duration { return o.commandTime }), durations(e.goodRuns, func(o measurement) time.Duration { return o.lastOldResponse })
	b.Note(fmt.Sprintf("good release, %s: command done (median of %d)", name, len(said)), seconds(measure.Median(said)))
	b.Note("  from its start to the last response of the old release", seconds(measure.Median(answered)))
	if n := countWrong(e.goodRuns); n > 0 {
		b.Note("  good releases reported as bad, or left incomplete", fmt.Sprintf("%d of %d", n, len(e.goodRuns)))
	}
	if s, ok := e.deployer.(*slipwayDeployer); ok {
		entered := durations(e.goodRuns, func(o measurement) time.Duration { return o.commandTime - o.rolloutStart })
		b.Note("  from the start of its deploy step", seconds(measure.Median(entered)))
		b.Note("  peak memory of the process", fmt.Sprintf("%.0f MB", float64(s.peakKB)/1e3))
		r, least, most := pairedRatios(e, reference, func(o measurement) time.Duration { return o.commandTime })
		b.Add("  compared with kubectl in the same round: command done", fmt.Sprintf("ratio <= %.2f", maxRatio), fmt.Sprintf("%.2f (%.2f to %.2f)", r, least, most), r <= maxRatio)
		r, least, most = pairedRatios(e, reference, func(o measurement) time.Duration { return o.lastOldResponse })
		b.Note("  compared with kubectl in the same round: last response of the old release", fmt.Sprintf("%.2f (%.2f to %.2f)", r, least, most))
	}
	b.addFailures(e, "  requests failed under 100/s", e.goodRuns)
}

func countWrong(all []measurement) (n int) {
	for _, o := range all {
		if o.wrongVerdict {
			n++
		}
	}
	return n
}

// maxRatio is how much slower than kubectl a good release may be.
const maxRatio = 1.00

// pairedRatios returns the ratios of a figure within each round, without rounds in
// which either tool reported the release as bad.
func pairedRatios(ours, theirs *entrant, of func(measurement) time.Duration) (median, least, most float64) {
	var a, b []time.Duration
	for i := range min(len(ours.goodRuns), len(theirs.goodRuns)) {
		if x, y := ours.goodRuns[i], theirs.goodRuns[i]; !x.wrongVerdict && !y.wrongVerdict {
			a, b = append(a, of(x)), append(b, of(y))
		}
	}
	return measure.Ratios(a, b)
}

// addFailures adds failed requests, with a goal for Slipway and without one for the
// other tools.
func (b *bench) addFailures(e *entrant, what string, all []measurement) {
	failed, requests := 0, 0
	var first error
	for _, o := range all {
		failed, requests = failed+o.failed, requests+o.requests
		if first == nil {
			first = o.firstErr
		}
	}
	text := fmt.Sprintf("%d of %d%s", failed, requests, measure.Parenthesize(first))
	if _, ours := e.deployer.(*slipwayDeployer); ours {
		b.Add(what, "0", text, failed == 0)
		return
	}
	b.Note(what, text)
}

// durations returns one figure of all measurements without a wrong verdict.
func durations(all []measurement, of func(measurement) time.Duration) []time.Duration {
	var d []time.Duration
	for _, o := range all {
		if !o.wrongVerdict {
			d = append(d, of(o))
		}
	}
	return d
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.2f s", d.Seconds()) }
