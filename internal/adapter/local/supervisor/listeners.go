//go:build linux

package supervisor

import (
	"context"
	"fmt"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/local/proxy"
	"github.com/slipway-cd/slipway/internal/fault"
)

// openPort listens on the requested port, on the current one, or on a new one, and
// returns it. A port that was chosen here and is now in use by another process is
// given up for a new one, which is saved.
func (e *environment) openPort(o ReleaseRequest, saved *EnvironmentState, say func(string)) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if o.Port != 0 {
		return o.Port, e.listen(o.Port)
	}
	if saved.Port != 0 {
		inUse := e.listen(saved.Port)
		if inUse == nil {
			return saved.Port, nil
		}
		return e.movePort(saved, inUse, say)
	}
	for open := range e.servers {
		return open, nil
	}
	return e.openNewPort()
}

// movePort chooses a new port for an environment whose port is in use, and saves
// it. The caller holds mu.
func (e *environment) movePort(saved *EnvironmentState, inUse error, say func(string)) (int, error) {
	at, err := e.openNewPort()
	if err != nil {
		return 0, fmt.Errorf("%w; then: %w", inUse, err)
	}
	e.portNote = fmt.Sprintf("%v; the service moved to port %d", inUse, at)
	e.cfg.Log.Printf("%s: %s", e.key, e.portNote)
	say(e.portNote)
	saved.Port, saved.FixedPort = at, false
	return at, e.store.put(e.key, *saved)
}

// openNewPort chooses a port and opens it. Only one environment at a time may do
// so, because checking whether a port is free occupies it briefly. The caller
// holds mu.
func (e *environment) openNewPort() (int, error) {
	e.cfg.ports.stableMu.Lock()
	defer e.cfg.ports.stableMu.Unlock()
	avoid := map[int]bool{}
	for _, other := range e.store.all() {
		avoid[other.Port] = true
	}
	var err error
	for range maxPortTries { // other programs open ports, too
		at, none := stablePort(e.key, avoid)
		if none != nil {
			return 0, none
		}
		if err = e.listen(at); err == nil {
			return at, nil
		}
		avoid[at] = true
	}
	return 0, err
}

// listen opens the port unless it is open. The caller holds mu.
func (e *environment) listen(at int) error {
	if e.servers[at] != nil {
		return nil
	}
	s, err := proxy.Listen(e.proxy, at, e.cfg.Log)
	if err != nil {
		return portInUseError(at, err)
	}
	e.servers[at] = s
	e.listenErr = nil
	return nil
}

// closeUnusedPorts closes the ports that the environment no longer uses.
func (e *environment) closeUnusedPorts(ctx context.Context, saved EnvironmentState) {
	e.mu.Lock()
	var unused []*proxy.Server
	for at, s := range e.servers {
		if at != saved.Port || !saved.ShouldRun() {
			unused = append(unused, s)
			delete(e.servers, at)
		}
	}
	e.mu.Unlock()
	for _, s := range unused {
		s.Close(ctx)
	}
}

// openCandidate opens a separate address for the staged release. It retries like
// the stable address, but its requests are not recorded: they are not from users.
func (e *environment) openCandidate() (string, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.candidate != nil {
		return e.candidate.server.URL(), nil
	}
	c := &candidate{proxy: proxy.New(proxy.Config{Log: e.cfg.Log, Now: e.cfg.Now})}
	var err error
	if c.server, err = e.listenAnywhere(c.proxy); err != nil {
		return "", err
	}
	c.proxy.Switch(e.staged.pool)
	e.candidate = c
	return c.server.URL(), nil
}

// listenAnywhere starts a server on a port of the replicas' range.
func (e *environment) listenAnywhere(handler *proxy.Proxy) (s *proxy.Server, err error) {
	for range maxPortTries { // other programs open ports, too
		at, none := e.cfg.ports.acquire()
		if none != nil {
			return nil, none
		}
		if s, err = proxy.Listen(handler, at, e.cfg.Log); err == nil {
			return s, nil
		}
		e.cfg.ports.release(at)
	}
	return nil, fault.New(fault.Conflict, "listen on a free port").Cause(err)
}

func (e *environment) closeCandidate() {
	e.mu.Lock()
	c := e.candidate
	e.candidate = nil
	e.mu.Unlock()
	if c == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	c.server.Close(ctx)
	e.cfg.ports.release(c.server.Port())
}

func (e *environment) url() string {
	saved, _ := e.store.get(e.key)
	return fmt.Sprintf("http://127.0.0.1:%d", saved.Port)
}

// restore starts the saved releases. If the port is in use, another one is taken;
// but one that the user has set is retried until it is free or the environment is
// gone. The replicas run meanwhile.
func (e *environment) restore(ctx context.Context, saved EnvironmentState) {
	e.promoted = e.restart(saved, saved.Promoted)
	e.staged = e.restart(saved, saved.Staged)
	if e.promoted != nil {
		e.proxy.Switch(e.promoted.pool)
	}
	if e.relisten(saved) {
		return
	}
	go func() {
		tick := time.NewTicker(e.cfg.MaxBackoff)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
			if now, ok := e.store.get(e.key); !ok || now.Port != saved.Port || e.relisten(now) {
				return
			}
		}
	}()
}

// restart starts a saved release. It logs an error and returns nil if that fails.
func (e *environment) restart(saved EnvironmentState, p *ReleaseSpec) *group {
	if p == nil {
		return nil
	}
	g, err := newGroup(e.cfg, saved.request(*p))
	if err != nil {
		e.cfg.Log.Printf("%s: %v", e.key, err)
		e.startErr = err
	}
	return g
}

func (e *environment) relisten(saved EnvironmentState) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.promoted == nil && e.staged == nil {
		return true // it was stopped meanwhile
	}
	e.listenErr = e.listen(saved.Port)
	if e.listenErr != nil && saved.choosesPort() {
		_, e.listenErr = e.movePort(&saved, e.listenErr, func(string) {})
	}
	if e.listenErr != nil {
		e.cfg.Log.Printf("%s: %v", e.key, e.listenErr)
	}
	return e.listenErr == nil
}

// up waits until the promoted release is ready. One that could not be restored is
// started first.
func (e *environment) up(ctx context.Context, o UpRequest, say func(string)) error {
	if err := e.startMissing(ctx, o); err != nil {
		return err
	}
	e.mu.Lock()
	g, problem := e.promoted, e.listenErr
	if problem == nil && g == nil {
		problem = e.startErr
	}
	e.mu.Unlock()
	if problem != nil {
		return problem
	}
	if g == nil {
		return nil
	}
	return g.waitReady(ctx, false, say)
}

// startMissing starts the promoted release if it could not be restored because
// its secrets were not known.
func (e *environment) startMissing(ctx context.Context, o UpRequest) error {
	if err := e.lock(ctx); err != nil {
		return err
	}
	defer e.unlock()
	saved, _ := e.store.get(e.key)
	if saved.Promoted == nil || e.promoted != nil {
		return nil
	}
	missing := saved.request(*saved.Promoted)
	missing.Secrets = o.Secrets
	if err := e.startPromoted(missing); err != nil {
		return err
	}
	e.relisten(saved)
	return nil
}

// startPromoted starts the promoted release, which could not be restored.
func (e *environment) startPromoted(o ReleaseRequest) error {
	g, err := newGroup(e.cfg, o)
	if err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.promoted, e.startErr = g, nil
	e.proxy.Switch(g.pool)
	return nil
}
