package main

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// field are the contenders, each with a good release that serves.
type field struct {
	*repository
	rolling, blueGreen, plain *entrant
	waiting                   []*entrant // that see a bad release only by waiting
	all                       []*entrant
}

// entrant is a contender and what was measured of it.
type entrant struct {
	contender
	serves string // the release
	good   []outcome
}

// deployed waits for the first release of a place, which nobody measures.
const deployed = 2 * time.Minute

// field sets everybody up. Slipway builds the image. Who can't be built or does not
// run gets a row that says why.
func (b *bench) field(ctx context.Context) (*field, error) {
	r, err := b.repository(ctx)
	if err != nil {
		return nil, err
	}
	f := &field{repository: r}
	if f.rolling, err = f.slipway(ctx, "rolling"); err != nil {
		return nil, err
	}
	if f.blueGreen, err = f.slipway(ctx, "blue_green"); err != nil {
		return nil, err
	}
	if err := b.name(ctx, b.image, "latest", "a", "b"); err != nil {
		return nil, err
	}
	for _, of := range []maker{newPlain, newWorkshop, newHelm, newRollouts, newFlagger} {
		e, err := f.join(ctx, of)
		switch {
		case err != nil:
			return nil, err
		case e == nil:
		case f.plain == nil:
			f.plain = e
		default:
			f.waiting = append(f.waiting, e)
		}
	}
	return f, nil
}

// slipway is Slipway with that strategy. All its projects deliver one image.
func (f *field) slipway(ctx context.Context, strategy string) (*entrant, error) {
	p, err := f.project(ctx, "Slipway, "+strategy, strings.ReplaceAll(strategy, "_", "-"), strategy, nil)
	if err == nil && len(f.projects) == 1 {
		err = f.serve(p)
	}
	if err != nil {
		return nil, err
	}
	e, err := f.enter(ctx, f, p)
	if err != nil {
		return nil, err
	}
	sum, err := p.built(ctx)
	if err == nil && f.image.sum != "" && f.image.sum != sum {
		err = fmt.Errorf("%s delivers %s, and another image than %s", p.at.name, sum, f.image.sum)
	}
	f.image = image{f.registry, sum}
	return e, err
}

// maker makes a contender at a place, and gives that its name.
type maker func(context.Context, *place) (contender, error)

// join sets a contender up; nil: it does not work here, and has a row that says why.
func (f *field) join(ctx context.Context, of maker) (*entrant, error) {
	at, err := f.place(ctx, "")
	if err != nil {
		return nil, err
	}
	c, err := of(ctx, at)
	if err == nil {
		var e *entrant
		if e, err = f.enter(ctx, f, c); err == nil {
			return e, nil
		}
	}
	if ctx.Err() != nil || f.plain == nil {
		return nil, err // without kubectl there is nothing to compare with
	}
	f.say("%s: not measured: %v", at.name, err)
	why := strings.Join(strings.Fields(err.Error()), " ")
	f.Note(at.name+": not measured", why[:min(len(why), 200)])
	return nil, nil
}

// enter brings in the contender's first release.
func (b *bench) enter(ctx context.Context, f *field, c contender) (*entrant, error) {
	ctx, cancel := context.WithTimeout(ctx, deployed)
	defer cancel()
	e := &entrant{contender: c}
	var r release
	var t told
	for try := 1; !t.good; try++ { // some ask once, and take the first no for an answer
		var err error
		r = b.release(good)
		if t, err = c.deploy(ctx, r); err != nil {
			return nil, fmt.Errorf("%s: first release: %w", c.place().name, err)
		}
		if !t.good && (try == 3 || !forgivable(e)) {
			return nil, fmt.Errorf("%s: it says %d times that a good first release is bad", c.place().name, try)
		}
	}
	e.serves = r.name
	f.all = append(f.all, e)
	b.say("%s: a first release serves after %.1f s", c.place().name, t.ended.Sub(t.begun).Seconds())
	return e, nil
}
