//go:build linux

package supervisor

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/slipway-cd/slipway/internal/adapter/local/proxy"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// prove proves that an address of this environment leads to the release: this process
// has the address, sends what comes there to the release's replicas only, and their
// sockets belong to their own containers.
func (e *environment) prove(q ProofRequest) (port.Proof, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	from, g := e.addressed(q.URL)
	if from == nil {
		return port.Proof{}, fault.New(fault.Failed, "%s is not an address of %s", q.URL, e.key)
	}
	pool, switches := from.Current()
	switch {
	case pool == nil || g == nil:
		return port.Proof{}, fault.New(fault.Failed, "%s leads to no release", q.URL)
	case pool != g.pool || pool.Release() != q.Release:
		return port.Proof{}, fault.New(fault.Failed, "%s leads to %s, not to %s", q.URL, pool.Release(), q.Release)
	}
	addresses, changes := pool.Addresses()
	if len(addresses) == 0 {
		return port.Proof{}, fault.New(fault.Unavailable, "no replica of %s is ready", q.Release)
	}
	state := []string{strconv.Itoa(os.Getpid()), q.URL, strconv.Itoa(switches), strconv.Itoa(changes)}
	for _, address := range addresses {
		sockets, err := g.socketsOf(address)
		if err != nil {
			return port.Proof{}, err
		}
		state = append(state, sockets...)
	}
	return port.Proof{
		Method: port.ProofBySocket, State: strings.Join(state, " "),
		Detail: strings.Join(addresses, ", "),
	}, nil
}

// addressed returns the proxy that has the address, and the release that it is for.
// The caller holds mu.
func (e *environment) addressed(url string) (*proxy.Proxy, *group) {
	if e.candidate != nil && e.candidate.server.URL() == url {
		return e.candidate.proxy, e.staged
	}
	for _, s := range e.servers {
		if s.URL() == url {
			return e.proxy, e.promoted
		}
	}
	return nil, nil
}

// socketsOf returns the sockets that take requests at the address, all of which belong
// to the container of one replica.
func (g *group) socketsOf(address string) ([]string, error) {
	for _, r := range g.replicas {
		if sockets, ok, err := r.sockets(address); ok || err != nil {
			return sockets, err
		}
	}
	return nil, fault.New(fault.Unavailable, "no replica of %s has %s any more", g.request, address)
}

// sockets returns the sockets that take requests at the address; ok is false if it is
// not the replica's.
func (r *replica) sockets(address string) (sockets []string, ok bool, err error) {
	e := r.currentEndpoint()
	if e == nil || e.address != address {
		return nil, false, nil
	}
	if e.fixed {
		sockets, err = e.sockets()
	} else {
		sockets, err = ownSockets("/proc", e.port, e.container)
	}
	if err != nil {
		return nil, false, fmt.Errorf("%s: %w", r.name, err)
	}
	return sockets, true, nil
}

// sockets returns the sockets that take connections in a network of the replica's
// own, where no other process is.
func (e endpoint) sockets() (sockets []string, err error) {
	for _, l := range e.container.Listeners() {
		if l.Accepts(e.port) {
			sockets = append(sockets, l.Socket)
		}
	}
	if len(sockets) == 0 {
		return nil, fault.New(fault.Unavailable, "nothing takes requests on port %d", e.port)
	}
	slices.Sort(sockets)
	return sockets, nil
}

// ownSockets returns the sockets that take connections to the port, if all of them
// belong to the container.
func ownSockets(proc string, n int, b socketHolder) ([]string, error) {
	open := listeners(proc, n)
	held, complete := b.Sockets()
	for socket := range open {
		if held[socket] {
			continue
		}
		if who := findHolder(proc, map[string]bool{socket: true}); who != "" || complete {
			if who == "" {
				who = "another process"
			}
			return nil, fault.New(fault.Failed, "%s also takes requests on port %d", who, n)
		}
		return nil, fault.New(fault.Unavailable, "the sockets of its container can't be seen").
			Hint("the service hides them from this user; return the value of SLIPWAY_RELEASE as \"release\" in the health response")
	}
	if len(open) == 0 {
		return nil, fault.New(fault.Unavailable, "nothing takes requests on port %d", n)
	}
	return slices.Sorted(maps.Keys(open)), nil
}
