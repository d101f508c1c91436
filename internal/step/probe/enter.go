package probe

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/step"
)

// Targets are the places where releases serve, by the name of their driver.
type Targets map[string]port.Target

// Find picks one and binds it to the place; an unknown name is fault.Invalid and
// says which there are.
func (t Targets) Find(name string, at delivery.Location) (port.Target, error) {
	found, ok := t[name]
	if !ok {
		known := strings.Join(slices.Sorted(maps.Keys(t)), ", ")
		return nil, fault.New(fault.Invalid, "there is no target %q", name).Hint("known: %s", known)
	}
	if p, many := found.(port.Locator); many {
		return p.For(at)
	}
	return found, nil
}

// RequestFor asks a target for a recorded release.
func RequestFor(r step.Request, w step.DeployParams, rel delivery.ReleaseRecord) port.DeployRequest {
	service := rel.Release.Service
	if service == "" {
		service = r.Service
	}
	return port.DeployRequest{
		Service: service, Environment: r.Environment, ID: rel.ID, Release: rel.Release,
		Port: w.Port, ReadyTimeout: w.Timeout, Run: r.Run, Strategy: w.Strategy,
	}
}

// CanaryFunc gives a staged release a part of the traffic and judges how it fares.
type CanaryFunc func(ctx context.Context) ([]delivery.GateResult, error)

// Finalize lets the target go of what it kept to go back to, once the release has
// been accepted.
func Finalize(ctx context.Context, r step.Request, t port.Target, o port.DeployRequest) error {
	s, ok := t.(port.Finalizer)
	if !ok {
		return nil
	}
	if err := s.Finalize(ctx, o, func(text string) { r.Progress("%s", text) }); err != nil {
		return fmt.Errorf("let go of what served before %s: %w", o.ID, err)
	}
	return nil
}

// Start brings a release in: it is started beside the one that serves, asked
// before any user reaches it, and only then gets the traffic: all of it, once
// taste (nil: none) has let it have some. What it began when it fails is left for
// the rollback.
func (p Checker) Start(ctx context.Context, r step.Request, t port.Target, o port.DeployRequest, w Expectation, taste CanaryFunc) (port.Observation, []delivery.GateResult, error) {
	say := func(s string) { r.Progress("%s", s) }
	url, err := t.Stage(ctx, o, say)
	if err != nil {
		return port.Observation{}, nil, fmt.Errorf("start %s: %w", o.ID, err)
	}
	w.Exclusive = true
	answers, err := p.Check(ctx, r, url, w)
	if err != nil {
		return port.Observation{}, answers, fmt.Errorf("before it got any traffic: %w", err)
	}
	if taste != nil {
		more, err := taste(ctx)
		answers = append(answers, more...)
		if err != nil {
			return port.Observation{}, answers, err
		}
	}
	r.Progress("giving %s the traffic", o.ID)
	obs, err := t.Promote(ctx, o, say)
	if err != nil {
		return obs, answers, fmt.Errorf("give %s the traffic: %w", o.ID, err)
	}
	if obs.Release != o.ID {
		return obs, answers, fault.New(fault.Failed, "the target says that %s has the traffic, not %s", DisplayName(obs.Release), o.ID)
	}
	return obs, answers, nil
}

// FailureCheck looks at the target while a release is asked at the stable address: a
// release that has lost the traffic, or all of whose replicas have ended, will
// not become healthy.
func FailureCheck(t port.Target, o port.DeployRequest) func(context.Context) string {
	return func(ctx context.Context) string {
		obs, err := t.Observe(ctx, o.Service, o.Environment)
		if err != nil {
			return "" // the service's own answers decide
		}
		if obs.Release != o.ID {
			return fmt.Sprintf("the traffic goes to %s", DisplayName(obs.Release))
		}
		return DownReason(obs, o.ID)
	}
}

// DownReason says why a release can't serve, or "": none of its replicas can come back
// by itself.
func DownReason(obs port.Observation, id delivery.ReleaseID) string {
	of, down, why := 0, 0, ""
	for _, rep := range obs.Replicas {
		if rep.Release != id {
			continue
		}
		of++
		if rep.State == "backoff" || rep.State == "exited" {
			down++
			why = rep.Cause
		}
	}
	switch {
	case of == 0 && len(obs.Replicas) > 0:
		return "none of its replicas runs"
	case of == 0 || down < of:
		return ""
	case why == "":
		return fmt.Sprintf("all of its %d replicas have ended", of)
	}
	return fmt.Sprintf("all of its %d replicas have ended: %s", of, why)
}

// DisplayName is a release's name for people.
func DisplayName(id delivery.ReleaseID) string {
	if id == "" {
		return "nothing"
	}
	return string(id)
}
