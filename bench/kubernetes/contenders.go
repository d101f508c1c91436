package main

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// contenders are the tools that are compared, each with a good release deployed.
type contenders struct {
	*testRepository
	rolling, blueGreen, kubectl *entrant
	timeoutBased                []*entrant // detect a bad release only by a timeout
	all                         []*entrant
}

// entrant is a tool with its measurements.
type entrant struct {
	deployer
	serving  string // the deployed release
	goodRuns []measurement
}

// firstDeployTimeout is the timeout of a first release, which is not measured.
const firstDeployTimeout = 2 * time.Minute

// setUpContenders sets up all tools. Slipway builds the image. A tool that cannot be
// built or does not run gets a row with the reason.
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
	tools := []constructor{newKubectl, newWorkshopScript, newHelm, newRollouts, newFlagger}
	if b.noOthers {
		tools = tools[:1]
	}
	for _, of := range tools {
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

// addSlipway adds Slipway with the given strategy. All its environments deliver one
// image.
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
		err = fmt.Errorf("%s delivers image %s, not %s", p.ns.toolName, sum, f.image.imageDigest)
	}
	f.image = serviceImage{f.registry, sum}
	return e, err
}

// constructor creates a deployer in a namespace, and sets the namespace's toolName.
type constructor func(context.Context, *namespace) (deployer, error)

// add sets up a tool; nil if it does not work here, which gets a row with the reason.
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

// deployFirst deploys the tool's first release.
func (b *bench) deployFirst(ctx context.Context, f *contenders, c deployer) (*entrant, error) {
	ctx, cancel := context.WithTimeout(ctx, firstDeployTimeout)
	defer cancel()
	e := &entrant{deployer: c}
	var r release
	var t deployResult
	for try := 1; !t.succeeded; try++ { // some tools give up after one failed check
		var err error
		r = b.newRelease(good)
		if t, err = c.deploy(ctx, r); err != nil {
			return nil, fmt.Errorf("%s: first release: %w", c.namespace().toolName, err)
		}
		if !t.succeeded && (try == 3 || !mayBeWrong(e)) {
			return nil, fmt.Errorf("%s: reported a good first release as bad %d times", c.namespace().toolName, try)
		}
	}
	e.serving = r.name
	f.all = append(f.all, e)
	b.logf("%s: first release deployed after %.1f s", c.namespace().toolName, t.finished.Sub(t.started).Seconds())
	return e, nil
}
