package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/slipway-cd/slipway/bench/measure"
)

// quick is how soon Slipway has to be back.
const quick = 10 * time.Second

// kinds are the bad releases.
func kinds() []string { return []string{crashes, neverReady} }

// bad brings bad releases in with Slipway. The time counts from the deploy step.
func (b *bench) bad(ctx context.Context, f *field) error {
	for _, kind := range kinds() {
		for _, e := range []*entrant{f.rolling, f.blueGreen} {
			var all []outcome
			for range b.bads {
				o, err := round(ctx, e, b.release(kind), e.serves, tooLong)
				if err != nil {
					return err
				}
				b.say("%s: %s: said %.2f s, good one alone %.2f s, failed %d of %d%s", e.place().name, kind,
					o.said.Seconds(), (o.alone - o.entered).Seconds(), o.failed, o.requests, measure.Parenthesize(o.first))
				all = append(all, o)
			}
			b.badRows(e, kind, all)
		}
	}
	return nil
}

func (b *bench) badRows(e *entrant, kind string, all []outcome) {
	back := column(all, func(o outcome) time.Duration { return o.alone - o.entered })
	worst, ok := measure.Quantile(back, 1), true
	for _, o := range all {
		ok = ok && o.back
	}
	what := fmt.Sprintf("bad release (%s), %s: good one alone again", kind, e.place().name)
	b.Add(what, "<= 10 s", fmt.Sprintf("%.2f s, at most %.2f s (of %d)", measure.Median(back).Seconds(), worst.Seconds(), len(all)), ok && worst <= quick)
	b.failures(e, "  requests failed under 100/s", all)
}

// waiting brings bad releases in with those that wait for the end of a time. They
// do so side by side: they have nothing else to do.
func (b *bench) waiting(ctx context.Context, f *field) error {
	most := 2*b.patience + time.Minute // until it gave up, until it gave up to go back
	for _, kind := range kinds() {
		outcomes, errs := make([]outcome, len(f.waiting)), make([]error, len(f.waiting))
		var all sync.WaitGroup
		for i, e := range f.waiting {
			r := b.release(kind)
			all.Go(func() { outcomes[i], errs[i] = round(ctx, e, r, e.serves, most) })
		}
		all.Wait()
		for i, e := range f.waiting {
			if errs[i] != nil {
				return errs[i]
			}
			e.serves = outcomes[i].serving
			b.waitingRows(e, kind, outcomes[i], most)
		}
	}
	return nil
}

func (b *bench) waitingRows(e *entrant, kind string, o outcome, most time.Duration) {
	text := fmt.Sprintf("%.2f s (told to wait %.0f s; command done after %.2f s)", o.alone.Seconds(), b.patience.Seconds(), o.said.Seconds())
	switch {
	case o.mistaken:
		text = fmt.Sprintf("it says that it is good, after %.2f s", o.said.Seconds())
	case !o.back:
		text = fmt.Sprintf("not within %.0f s; command done after %.2f s", most.Seconds(), o.said.Seconds())
	}
	b.Note(fmt.Sprintf("bad release (%s), %s: good one alone again", kind, e.place().name), text)
	b.failures(e, "  requests failed under 100/s", []outcome{o})
}
