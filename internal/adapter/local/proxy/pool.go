// Package proxy is the reverse proxy in front of the replicas of one environment.
// It switches between releases atomically, retries a request on another replica
// where that is safe, and records the outcome of every request.
package proxy

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
)

// Pool is the set of ready replicas of one release. It is safe for concurrent
// use. Requests hold it from their first byte to their last.
type Pool struct {
	release   delivery.ReleaseID
	transport *http.Transport

	mu       sync.Mutex
	ready    []*backend
	changes  int                 // of ready
	dialers  map[string]DialFunc // of replicas that only their own dialer reaches
	next     int
	inflight int
	changed  chan struct{} // closed and replaced at every change
}

// DialFunc connects to a replica.
type DialFunc func(ctx context.Context) (net.Conn, error)

type backend struct {
	address  string
	inflight int
}

// NewPool returns an empty pool.
func NewPool(release delivery.ReleaseID) *Pool {
	p := &Pool{release: release, changed: make(chan struct{}), dialers: map[string]DialFunc{}}
	p.transport = &http.Transport{
		DialContext:         p.dial,
		DisableCompression:  true, // client and service negotiate compression
		MaxIdleConnsPerHost: 256,
		// Many servers close idle connections after 5 s. Closing first avoids most
		// races with that; the rest are retried.
		IdleConnTimeout: 4 * time.Second,
	}
	return p
}

const dialTimeout = 2 * time.Second

func (p *Pool) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := p.connect(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &countingConn{Conn: conn}, nil
}

func (p *Pool) connect(ctx context.Context, network, address string) (net.Conn, error) {
	p.mu.Lock()
	own := p.dialers[address]
	p.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	if own != nil {
		return own(ctx)
	}
	if _, err := netip.ParseAddrPort(address); err != nil { // its container is gone
		return nil, fmt.Errorf("connect to replica %s: %w", address, net.ErrClosed)
	}
	var d net.Dialer
	return d.DialContext(ctx, network, address)
}

// Release returns the release of the replicas.
func (p *Pool) Release() delivery.ReleaseID { return p.release }

// Add adds a replica ("127.0.0.1:20001").
func (p *Pool) Add(address string) { p.AddDialer(address, nil) }

// AddDialer adds a replica that is reached by dial, and has the address as its
// name only. nil: it is reached at the address.
func (p *Pool) AddDialer(address string, dial DialFunc) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if dial != nil {
		p.dialers[address] = dial
	}
	p.ready = append(p.ready, &backend{address: address})
	p.changes++
	p.notify()
}

// Remove stops sending new requests to a replica.
func (p *Pool) Remove(address string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	kept := p.ready[:0:0]
	for _, b := range p.ready {
		if b.address != address {
			kept = append(kept, b)
		}
	}
	p.ready = kept
	p.changes++
	delete(p.dialers, address)
	p.notify()
}

// Addresses returns the replicas that take requests, and how often they have changed.
func (p *Pool) Addresses() (addresses []string, changes int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, b := range p.ready {
		addresses = append(addresses, b.address)
	}
	return addresses, p.changes
}

// Drained waits until no request holds the pool, then closes idle connections. It
// returns the context's error.
func (p *Pool) Drained(ctx context.Context) error {
	defer p.transport.CloseIdleConnections()
	for {
		p.mu.Lock()
		inflight, changed := p.inflight, p.changed
		p.mu.Unlock()
		if inflight == 0 {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// InFlight returns the number of requests that hold the pool.
func (p *Pool) InFlight() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.inflight
}

func (p *Pool) notify() {
	close(p.changed)
	p.changed = make(chan struct{})
}

func (p *Pool) retain() {
	p.mu.Lock()
	p.inflight++
	p.mu.Unlock()
}

func (p *Pool) dropRequest() {
	p.mu.Lock()
	p.inflight--
	if p.inflight == 0 {
		p.notify()
	}
	p.mu.Unlock()
}

// acquire returns the replica with the fewest requests that was not tried yet,
// round robin among equals. If there is none, it returns nil and a channel that
// is closed at the next change.
func (p *Pool) acquire(tried map[*backend]bool) (picked *backend, changed <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range p.ready {
		b := p.ready[(p.next+i)%len(p.ready)]
		if !tried[b] && (picked == nil || b.inflight < picked.inflight) {
			picked = b
		}
	}
	if picked != nil {
		picked.inflight++
		p.next++
	}
	return picked, p.changed
}

func (p *Pool) giveBack(b *backend) {
	p.mu.Lock()
	b.inflight--
	p.mu.Unlock()
}
