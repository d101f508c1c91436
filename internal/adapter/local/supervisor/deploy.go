//go:build linux

package supervisor

import (
	"context"
	"fmt"

	"github.com/slipway-cd/slipway/internal/adapter/local/proxy"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// stage starts the release next to the promoted one and waits until it is ready.
func (e *environment) stage(ctx context.Context, o ReleaseRequest, say func(string)) (string, error) {
	if err := e.lock(ctx); err != nil {
		return "", err
	}
	defer e.unlock()
	saved, _ := e.store.get(e.key)
	saved.Service, saved.Environment = o.Service, o.Environment
	if saved.Promoted != nil && saved.Promoted.Release == o.Release {
		return e.stagePromoted(ctx, o, saved, say)
	}
	if err := e.waitDrained(ctx); err != nil {
		return "", err
	}
	running := saved.Staged != nil && saved.Staged.Release == o.Release && e.staged != nil && e.staged.healthy()
	if !running {
		if err := e.discardStaged(ctx, saved); err != nil {
			return "", err
		}
		saved.Staged = nil
	}
	at, err := e.openPort(o, &saved, say)
	if err != nil {
		return "", err
	}
	if saved.Port == 0 {
		saved.Port, saved.FixedPort = at, o.Port != 0
	}
	if !running {
		if err := e.startStaged(o, saved); err != nil {
			return "", err
		}
	}
	if err := e.staged.waitReady(ctx, true, say); err != nil {
		return "", e.discardFailed(ctx, err)
	}
	return e.openCandidate()
}

// stagePromoted handles a release that is already promoted.
func (e *environment) stagePromoted(ctx context.Context, o ReleaseRequest, saved EnvironmentState, say func(string)) (string, error) {
	if err := e.discardStaged(ctx, saved); err != nil {
		return "", err
	}
	saved.Staged = nil
	if _, err := e.openPort(o, &saved, say); err != nil {
		return "", err
	}
	if e.promoted == nil { // it could not be restored
		if err := e.startPromoted(o); err != nil {
			return "", err
		}
	}
	if len(e.drift(o)) > 0 {
		if err := e.replacePromoted(ctx, o, saved, say); err != nil {
			return "", err
		}
	}
	if err := e.promoted.waitReady(ctx, false, say); err != nil {
		return "", err
	}
	return e.url(), nil
}

// startStaged saves the release as staged and starts it.
func (e *environment) startStaged(o ReleaseRequest, saved EnvironmentState) error {
	saved.Staged = &ReleaseSpec{Release: o.Release, Spec: o.Spec}
	if err := e.store.put(e.key, saved); err != nil {
		return err
	}
	g, err := newGroup(e.cfg, o)
	if err != nil {
		saved.Staged = nil
		if undo := e.store.put(e.key, saved); undo != nil {
			return fmt.Errorf("%w; then: %w", err, undo)
		}
		return err
	}
	e.mu.Lock()
	e.staged = g
	e.mu.Unlock()
	return nil
}

// promote switches the traffic to the staged release. It is saved first: after a
// crash the new release is restored.
func (e *environment) promote(ctx context.Context, o ReleaseRequest, say func(string)) (port.Observation, error) {
	if err := e.lock(ctx); err != nil {
		return port.Observation{}, err
	}
	defer e.unlock()
	saved, _ := e.store.get(e.key)
	if saved.Promoted == nil || saved.Promoted.Release != o.Release {
		if err := e.switchTraffic(ctx, o, saved, say); err != nil {
			return port.Observation{}, err
		}
	} else if err := e.changePort(ctx, o, saved); err != nil {
		return port.Observation{}, err
	}
	say("waiting for in-flight requests of the previous release")
	if err := e.waitDrained(ctx); err != nil {
		return port.Observation{}, err
	}
	return e.observe(), nil
}

func (e *environment) switchTraffic(ctx context.Context, o ReleaseRequest, saved EnvironmentState, say func(string)) error {
	if saved.Staged == nil || saved.Staged.Release != o.Release || e.staged == nil {
		return fault.New(fault.Conflict, "promote %s: the release is not staged", o).Hint("stage it first; a failed or replaced release is no longer staged")
	}
	at, err := e.openPort(o, &saved, say)
	if err != nil {
		return err
	}
	if err := e.staged.waitReady(ctx, false, say); err != nil {
		return err
	}
	saved.Promoted, saved.Staged, saved.Port, saved.FixedPort = saved.Staged, nil, at, o.Port != 0
	if err := e.store.put(e.key, saved); err != nil {
		return err
	}
	e.mu.Lock()
	old, servers := e.promoted, e.servers
	e.promoted, e.staged = e.staged, nil
	e.proxy.Switch(e.promoted.pool)
	e.servers = map[int]*proxy.Server{at: servers[at]}
	delete(servers, at)
	e.mu.Unlock()
	say(fmt.Sprintf("%s receives the traffic", o.Release))
	e.closeCandidate()
	if old != nil {
		old.setDraining()
		e.drainGroup(old, servers)
		return nil
	}
	for _, s := range servers {
		s.Close(ctx)
	}
	return nil
}

// changePort moves the promoted release to the requested port.
func (e *environment) changePort(ctx context.Context, o ReleaseRequest, saved EnvironmentState) error {
	if o.Port == 0 || o.Port == saved.Port {
		return nil
	}
	at, err := e.openPort(o, &saved, func(string) {})
	if err != nil {
		return err
	}
	saved.Port, saved.FixedPort = at, true
	if err := e.store.put(e.key, saved); err != nil {
		return err
	}
	e.closeUnusedPorts(ctx, saved)
	return nil
}
