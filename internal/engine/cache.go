package engine

import (
	"context"
	"fmt"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/event"
	"github.com/slipway-cd/slipway/internal/step"
)

// cached answers with a result of the past if everything that the step depends on
// is the same, and runs the step otherwise. The cache only saves time: when it
// can't be asked, the step runs.
func (x *execution) cached(ctx context.Context, impl step.Step, r step.Request) (step.Result, error) {
	key, err := keyOf(ctx, impl, r)
	if err != nil {
		return step.Result{}, err
	}
	key = step.KeyIn(x.run.Plan.Trigger.TrustClass(), key)
	if !r.Spec.SkipCache {
		result, ok, err := x.reuse(ctx, impl, r, key)
		if err != nil || ok {
			return result, err
		}
	}
	result, err := x.carryOut(ctx, impl, r)
	if err == nil && result.Outcome == delivery.OutcomeSucceeded {
		if err := x.e.Cache.Put(context.WithoutCancel(ctx), key, x.run.ID, x.e.redact(result)); err != nil {
			x.noCache(r, err)
		}
	}
	return result, err
}

func keyOf(ctx context.Context, impl step.Step, r step.Request) (delivery.Digest, error) {
	fingerprint := ""
	if f, ok := impl.(step.Fingerprinter); ok {
		var err error
		if fingerprint, err = f.Fingerprint(ctx, r.Spec); err != nil {
			return "", fmt.Errorf("ask for the tools of step %s: %w", r.Spec.Name, err)
		}
	}
	return step.CacheKey(r.Spec, fingerprint, r.Inputs)
}

// reuse looks for a result of the past and lets the step look at it.
func (x *execution) reuse(ctx context.Context, impl step.Step, r step.Request, key delivery.Digest) (step.Result, bool, error) {
	old, ok, err := x.e.Cache.Lookup(context.WithoutCancel(ctx), key)
	if err != nil {
		x.noCache(r, err)
		return old, false, nil
	}
	if !ok {
		return old, false, nil
	}
	old.Started, old.Ended = x.e.now(), x.e.now()
	if again, is := impl.(step.CacheValidator); is {
		fresh, usable, err := x.revalidate(ctx, again, r, old)
		if err == nil && !usable && x.fetchFiles(ctx, r, old.Files) {
			fresh, usable, err = x.revalidate(ctx, again, r, old)
		}
		if err != nil || !usable {
			return fresh, false, err
		}
		if old, err = validResult(fresh, nil); err != nil {
			return old, false, err
		}
	}
	old.Cached, old.Cost = true, nil // it was paid once
	return old, true, nil
}

// revalidate lets the step look at its cached result, with the paths of this machine.
func (x *execution) revalidate(ctx context.Context, impl step.CacheValidator, r step.Request, old step.Result) (step.Result, bool, error) {
	places, local := x.e.places(), old
	local.Output = places.Local(old.Output)
	fresh, usable, err := impl.Revalidate(ctx, places.LocalRequest(r), local)
	fresh.Output = places.Portable(fresh.Output)
	fresh.Files = filesOf(fresh.Output, old.Files)
	return fresh, usable, err
}

func (x *execution) noCache(r step.Request, err error) {
	x.events.emit(event.Event{Kind: event.Notice, Step: r.Spec.Name, Text: "the step cache is not available: " + err.Error()})
}
