package main

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// contenders are the contenders, each with a good release that serves.
type contenders struct {
	*testRepository
	rolling, blueGreen, kubectl *entrant
	timeoutBased                []*entrant // that see a bad release only by waiting
	all                         []*entrant
}

// entrant is a contender and what was measured of it.
type entrant struct {
	deployer
	serving  string // the release
	goodRuns []measurement
}

// firstDeployTimeout waits for the first release of a place, which nobody measures.
const firstDeployTimeout = 2 * time.Minute

// setUpContenders sets everybody up. Slipway builds the image. Who can't be built or does not
// run gets a row that says why.
func (b *bench) setUpContenders(ctx context.Context) (*contenders, error) {
	r, err := b.createRepository(ctx)
	if err != nil {
		return nil, err
	}
	f := &contenders{testRepository: r}
	if f.rolling, err = f.addSlipway(ctx, "rolling"); err != nil {
		return nil, err
	}
	if f.blueGreen, err = f.addSlipway(ctx, "blue_green"); err != nil {
		return nil, err
	}
	if err := b.tagImage(ctx, b.image, "latest", "a", "b"); err != nil {
		return nil, err
	}
	for _, of := range []constructor{newKubectl, newWorkshopScript, newHelm, newRollouts, newFlagger} {
		e, err := f.add(ctx, of)
		switch {
		case err != nil:
			return nil, err
		case e == nil:
		case f.kubectl == nil:
			f.kubectl = e
		default:
			f.timeoutBased = append(f.timeoutBased, e)
		}
	}
	return f, nil
}

// addSlipway is Slipway with that strategy. All its projects deliver one image.
func (f *contenders) addSlipway(ctx context.Context, strategy string) (*entrant, error) {
	p, err := f.newEnvironment(ctx, "Slipway, "+strategy, strings.ReplaceAll(strategy, "_", "-"), strategy, nil)
	if err == nil && len(f.projects) == 1 {
		err = f.serveRegistry(p)
	}
	if err != nil {
		return nil, err
	}
	e, err := f.deployFirst(ctx, f, p)
	if err != nil {
		return nil, err
	}
	sum, err := p.deployedDigest(ctx)
	if err == nil && f.image.imageDigest != "" && f.image.imageDigest != sum {
		err = fmt.Errorf("%s delivers %s, and another image than %s", p.ns.toolName, sum, f.image.imageDigest)
	}
	f.image = serviceImage{f.registry, sum}
	return e, err
}

// constructor makes a contender at a place, and gives that its name.
type constructor func(context.Context, *namespace) (deployer, error)

// add sets a contender up; nil: it does not work here, and has a row that says why.
func (f *contenders) add(ctx context.Context, of constructor) (*entrant, error) {
	at, err := f.createNamespace(ctx, "")
	if err != nil {
		return nil, err
	}
	c, err := of(ctx, at)
	if err == nil {
		var e *entrant
		if e, err = f.deployFirst(ctx, f, c); err == nil {
			return e, nil
		}
	}
	if ctx.Err() != nil || f.kubectl == nil {
		return nil, err // without kubectl there is nothing to compare with
	}
	f.logf("%s: not measured: %v", at.toolName, err)
	why := strings.Join(strings.Fields(err.Error()), " ")
	f.Note(at.toolName+": not measured", why[:min(len(why), 200)])
	return nil, nil
}

// deployFirst brings in the contender's first release.
func (b *bench) deployFirst(ctx context.Context, f *contenders, c deployer) (*entrant, error) {
	ctx, cancel := context.WithTimeout(ctx, firstDeployTimeout)
	defer cancel()
	e := &entrant{deployer: c}
	var r release
	var t deployResult
	for try := 1; !t.succeeded; try++ { // some ask once, and take the first no for an answer
		var err error
		r = b.newRelease(good)
		if t, err = c.deploy(ctx, r); err != nil {
			return nil, fmt.Errorf("%s: first release: %w", c.namespace().toolName, err)
		}
		if !t.succeeded && (try == 3 || !mayBeWrong(e)) {
			return nil, fmt.Errorf("%s: it says %d times that a good first release is bad", c.namespace().toolName, try)
		}
	}
	e.serving = r.name
	f.all = append(f.all, e)
	b.logf("%s: a first release serves after %.1f s", c.namespace().toolName, t.finished.Sub(t.started).Seconds())
	return e, nil
}
