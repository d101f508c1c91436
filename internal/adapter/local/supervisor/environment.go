//go:build linux

package supervisor

import (
	"context"
	"fmt"
	"sync"

	"github.com/slipway-cd/slipway/internal/adapter/local/latency"
	"github.com/slipway-cd/slipway/internal/adapter/local/proxy"
	"github.com/slipway-cd/slipway/internal/port"
)

// environment is the runtime state of one environment of a service. The desired
// state is in the store.
type environment struct {
	cfg   *Config
	store *store
	key   string
	sem   chan struct{} // held while the environment is changed
	proxy *proxy.Proxy
	meter latency.Recorder

	mu        sync.Mutex
	servers   map[int]*proxy.Server // of the stable port, and of a new one until the promotion
	candidate *candidate
	promoted  *group
	staged    *group
	draining  map[*group]chan struct{} // closed once it has stopped
	listenErr error                    // why the stable port is not open
	portNote  string                   // why the stable port is a new one
	startErr  error                    // why a saved release could not be restarted
}

// candidate is the separate address of the staged release.
type candidate struct {
	proxy  *proxy.Proxy
	server *proxy.Server
}

func newEnvironment(cfg *Config, s *store, key string) *environment {
	e := &environment{
		cfg: cfg, store: s, key: key, sem: make(chan struct{}, 1),
		servers: map[int]*proxy.Server{}, draining: map[*group]chan struct{}{},
	}
	e.sem <- struct{}{}
	e.proxy = proxy.New(proxy.Config{Recorder: &e.meter, Log: cfg.Log, Now: cfg.Now, ProbeToken: cfg.token})
	return e
}

// lock waits for the exclusive right to change the environment.
func (e *environment) lock(ctx context.Context) error {
	select {
	case <-e.sem:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (e *environment) unlock() { e.sem <- struct{}{} }

// observe returns the state of the environment.
func (e *environment) observe() port.Observation {
	saved, _ := e.store.get(e.key)
	e.mu.Lock()
	defer e.mu.Unlock()
	observation := port.Observation{}
	if saved.Port != 0 {
		observation.URL = fmt.Sprintf("http://127.0.0.1:%d", saved.Port)
	}
	if e.listenErr != nil {
		observation.Notes = append(observation.Notes, e.listenErr.Error())
	}
	if e.portNote != "" {
		observation.Notes = append(observation.Notes, e.portNote)
	}
	if e.startErr != nil && e.promoted == nil {
		observation.Notes = append(observation.Notes, e.startErr.Error())
	}
	if e.promoted != nil {
		observation.Release, observation.Wanted = e.promoted.request.Release, len(e.promoted.replicas)
		e.promoted.observe(&observation)
	}
	if e.staged != nil {
		e.staged.observe(&observation)
	}
	for g := range e.draining {
		g.observe(&observation)
	}
	return observation
}
