//go:build linux

package supervisor

import (
	"context"
	"fmt"
	"sync"

	"github.com/slipway-cd/slipway/internal/adapter/local/latency"
	"github.com/slipway-cd/slipway/internal/adapter/local/proxy"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// environment is one environment of a service at run time. What should run is in
// the store; this is what does.
type environment struct {
	cfg   *Config
	store *store
	key   string
	turn  chan struct{} // holds one token: who has it may change things
	proxy *proxy.Proxy
	meter latency.Recorder

	mu        sync.Mutex
	servers   map[int]*proxy.Server // of the stable port, and of a new one until it is promoted
	candidate *candidate
	promoted  *group
	staged    *group
	retiring  map[*group]chan struct{} // closed once it has ended
	problem   error                    // why the stable port is not open
	broken    error                    // why a saved release could not be started again
}

// candidate is the address that reaches only the staged release.
type candidate struct {
	proxy  *proxy.Proxy
	server *proxy.Server
}

func newEnvironment(cfg *Config, s *store, key string) *environment {
	e := &environment{
		cfg: cfg, store: s, key: key, turn: make(chan struct{}, 1),
		servers: map[int]*proxy.Server{}, retiring: map[*group]chan struct{}{},
	}
	e.turn <- struct{}{}
	e.proxy = proxy.New(proxy.Config{Recorder: &e.meter, Log: cfg.Log, Now: cfg.Now})
	return e
}

// take waits for the turn to change things; give it back.
func (e *environment) take(ctx context.Context) error {
	select {
	case <-e.turn:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (e *environment) give() { e.turn <- struct{}{} }

// stage starts the release beside the one that serves, and waits for it.
func (e *environment) stage(ctx context.Context, o ReleaseRequest, say func(string)) (string, error) {
	if err := e.take(ctx); err != nil {
		return "", err
	}
	defer e.give()
	saved, _ := e.store.get(e.key)
	saved.Service, saved.Environment = o.Service, o.Environment
	if saved.Promoted != nil && saved.Promoted.Release == o.Release {
		return e.stageServing(ctx, o, saved, say)
	}
	if err := e.settle(ctx); err != nil {
		return "", err
	}
	running := saved.Staged != nil && saved.Staged.Release == o.Release && e.staged != nil && e.staged.healthy()
	if !running {
		if err := e.discardStaged(ctx, saved); err != nil {
			return "", err
		}
	}
	at, err := e.open(o, saved)
	if err != nil {
		return "", err
	}
	if saved.Port == 0 {
		saved.Port = at
	}
	if !running {
		if err := e.begin(o, saved); err != nil {
			return "", err
		}
	}
	if err := e.staged.wait(ctx, true, say); err != nil {
		return "", e.takeBack(ctx, err)
	}
	return e.openCandidate()
}

// stageServing answers for a release that has the traffic already.
func (e *environment) stageServing(ctx context.Context, o ReleaseRequest, saved EnvironmentState, say func(string)) (string, error) {
	if err := e.discardStaged(ctx, saved); err != nil {
		return "", err
	}
	if _, err := e.open(o, saved); err != nil {
		return "", err
	}
	if e.promoted == nil { // it could not be started when the supervisor began
		g, err := newGroup(e.cfg, o)
		if err != nil {
			return "", err
		}
		e.mu.Lock()
		e.promoted = g
		e.proxy.Switch(g.pool)
		e.mu.Unlock()
	}
	if err := e.promoted.wait(ctx, false, say); err != nil {
		return "", err
	}
	return e.url(), nil
}

// takeBack ends a release that cannot become ready. One whose caller left is
// kept: it may come back and ask again.
func (e *environment) takeBack(ctx context.Context, err error) error {
	if !fault.Is(err, fault.Failed) {
		return err
	}
	saved, _ := e.store.get(e.key)
	if undo := e.discardStaged(context.WithoutCancel(ctx), saved); undo != nil {
		return fmt.Errorf("%w; and then: %w", err, undo)
	}
	return err
}

// begin records the release as staged and starts it.
func (e *environment) begin(o ReleaseRequest, saved EnvironmentState) error {
	saved.Staged = &ReleaseSpec{Release: o.Release, Spec: o.Spec}
	if err := e.store.put(e.key, saved); err != nil {
		return err
	}
	g, err := newGroup(e.cfg, o)
	if err != nil {
		saved.Staged = nil
		if undo := e.store.put(e.key, saved); undo != nil {
			return fmt.Errorf("%w; and then: %w", err, undo)
		}
		return err
	}
	e.mu.Lock()
	e.staged = g
	e.mu.Unlock()
	return nil
}

// promote gives the staged release the traffic. On disk first: whoever starts
// again in between serves the new one.
func (e *environment) promote(ctx context.Context, o ReleaseRequest, say func(string)) (port.Observation, error) {
	if err := e.take(ctx); err != nil {
		return port.Observation{}, err
	}
	defer e.give()
	saved, _ := e.store.get(e.key)
	if saved.Promoted == nil || saved.Promoted.Release != o.Release {
		if err := e.switchTo(ctx, o, saved, say); err != nil {
			return port.Observation{}, err
		}
	} else if err := e.move(ctx, o, saved); err != nil {
		return port.Observation{}, err
	}
	say("waiting for requests in flight on what served before")
	if err := e.settle(ctx); err != nil {
		return port.Observation{}, err
	}
	return e.observe(), nil
}

func (e *environment) switchTo(ctx context.Context, o ReleaseRequest, saved EnvironmentState, say func(string)) error {
	if saved.Staged == nil || saved.Staged.Release != o.Release || e.staged == nil {
		return fault.New(fault.Conflict, "promote %s: it is not staged", o).Hint("stage it first; a failed or replaced release is staged no more")
	}
	at, err := e.open(o, saved)
	if err != nil {
		return err
	}
	if err := e.staged.wait(ctx, false, say); err != nil {
		return err
	}
	saved.Promoted, saved.Staged, saved.Port = saved.Staged, nil, at
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
	say(fmt.Sprintf("%s takes the traffic", o.Release))
	e.closeCandidate()
	if old != nil {
		old.drain()
		e.retire(old, servers)
		return nil
	}
	for _, s := range servers {
		s.Close(ctx)
	}
	return nil
}

// move gives what serves the port that the order wants.
func (e *environment) move(ctx context.Context, o ReleaseRequest, saved EnvironmentState) error {
	if o.Port == 0 || o.Port == saved.Port {
		return nil
	}
	at, err := e.open(o, saved)
	if err != nil {
		return err
	}
	saved.Port = at
	if err := e.store.put(e.key, saved); err != nil {
		return err
	}
	e.closeOthers(ctx, saved)
	return nil
}

// discard ends the staged release if it is that one.
func (e *environment) discard(ctx context.Context, release delivery.ReleaseID) error {
	if err := e.take(ctx); err != nil {
		return err
	}
	defer e.give()
	saved, _ := e.store.get(e.key)
	if saved.Staged == nil || saved.Staged.Release != release {
		return nil
	}
	return e.discardStaged(ctx, saved)
}

func (e *environment) discardStaged(ctx context.Context, saved EnvironmentState) error {
	if saved.Staged != nil {
		saved.Staged = nil
		if err := e.store.put(e.key, saved); err != nil {
			return err
		}
	}
	e.closeCandidate()
	e.mu.Lock()
	g := e.staged
	e.staged = nil
	e.mu.Unlock()
	if g != nil {
		e.retire(g, nil)
	}
	e.closeOthers(ctx, saved)
	return e.settle(ctx)
}

// observe tells what is there.
func (e *environment) observe() port.Observation {
	saved, _ := e.store.get(e.key)
	e.mu.Lock()
	defer e.mu.Unlock()
	o := port.Observation{}
	if saved.Port != 0 {
		o.URL = fmt.Sprintf("http://127.0.0.1:%d", saved.Port)
	}
	if e.problem != nil {
		o.Notes = append(o.Notes, e.problem.Error())
	}
	if e.broken != nil && e.promoted == nil {
		o.Notes = append(o.Notes, e.broken.Error())
	}
	if e.promoted != nil {
		o.Release = e.promoted.order.Release
		e.promoted.observe(&o)
	}
	if e.staged != nil {
		e.staged.observe(&o)
	}
	for g := range e.retiring {
		g.observe(&o)
	}
	return o
}
