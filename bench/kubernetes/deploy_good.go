package main

import (
	"context"
	"fmt"
	"time"

	"github.com/slipway-cd/slipway/bench/measure"
)

// tooLong is when a release is given up.
const tooLong = 3 * time.Minute

// good brings good releases in, everybody in turns.
func (b *bench) good(ctx context.Context, f *field) error {
	for n := range b.rounds {
		for i := range f.all {
			e := f.all[(n+i)%len(f.all)]
			r := b.release(good)
			o, err := round(ctx, e, r, r.name, tooLong)
			if err != nil {
				return err
			}
			if !o.back && !forgivable(e) {
				return fmt.Errorf("%s: %s does not serve alone after %s", e.place().name, r.name, tooLong)
			}
			o.mistaken = o.mistaken || !o.back
			e.serves = o.serving
			e.good = append(e.good, o)
			b.say("%s: said %.2f s, all answers new %.2f s, alone %.2f s, failed %d of %d%s",
				e.place().name, o.said.Seconds(), o.answered.Seconds(), o.alone.Seconds(), o.failed, o.requests, measure.Parenthesize(o.first))
		}
	}
	for _, e := range f.all {
		b.goodRows(e, f.plain)
	}
	return nil
}

func (b *bench) goodRows(e, reference *entrant) {
	name := e.place().name
	said, answered := column(e.good, func(o outcome) time.Duration { return o.said }), column(e.good, func(o outcome) time.Duration { return o.answered })
	b.Note(fmt.Sprintf("good release, %s: command done (median of %d)", name, len(said)), seconds(measure.Median(said)))
	b.Note("  from its start to the last answer of the old release", seconds(measure.Median(answered)))
	if n := mistakes(e.good); n > 0 {
		b.Note("  good releases that it took for bad ones, or left half way", fmt.Sprintf("%d of %d", n, len(e.good)))
	}
	if s, ok := e.contender.(*project); ok {
		entered := column(e.good, func(o outcome) time.Duration { return o.said - o.entered })
		b.Note("  from its deploy step on", seconds(measure.Median(entered)))
		b.Note("  peak memory of the process", fmt.Sprintf("%.0f MB", float64(s.peak)/1e3))
		r, least, most := pairs(e, reference, func(o outcome) time.Duration { return o.said })
		b.Add("  beside kubectl of the same round: command done", fmt.Sprintf("ratio <= %.2f", mostRatio), fmt.Sprintf("%.2f (%.2f to %.2f)", r, least, most), r <= mostRatio)
		r, least, most = pairs(e, reference, func(o outcome) time.Duration { return o.answered })
		b.Note("  beside kubectl of the same round: last answer of the old release", fmt.Sprintf("%.2f (%.2f to %.2f)", r, least, most))
	}
	b.failures(e, "  requests failed under 100/s", e.good)
}

func mistakes(all []outcome) (n int) {
	for _, o := range all {
		if o.mistaken {
			n++
		}
	}
	return n
}

// mostRatio is how much slower than kubectl a good release may be.
const mostRatio = 1.10

// pairs are the ratios of two figures of one round; rounds in which either took the
// release for a bad one are left out.
func pairs(ours, theirs *entrant, of func(outcome) time.Duration) (median, least, most float64) {
	var a, b []time.Duration
	for i := range min(len(ours.good), len(theirs.good)) {
		if x, y := ours.good[i], theirs.good[i]; !x.mistaken && !y.mistaken {
			a, b = append(a, of(x)), append(b, of(y))
		}
	}
	return measure.Ratios(a, b)
}

// failures is a goal for Slipway, and a figure of the others.
func (b *bench) failures(e *entrant, what string, all []outcome) {
	failed, requests := 0, 0
	var first error
	for _, o := range all {
		failed, requests = failed+o.failed, requests+o.requests
		if first == nil {
			first = o.first
		}
	}
	text := fmt.Sprintf("%d of %d%s", failed, requests, measure.Parenthesize(first))
	if _, ours := e.contender.(*project); ours {
		b.Add(what, "0", text, failed == 0)
		return
	}
	b.Note(what, text)
}

// column is one figure of each outcome; those of wrong verdicts are left out.
func column(all []outcome, of func(outcome) time.Duration) []time.Duration {
	var d []time.Duration
	for _, o := range all {
		if !o.mistaken {
			d = append(d, of(o))
		}
	}
	return d
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.2f s", d.Seconds()) }
