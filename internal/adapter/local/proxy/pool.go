// Package proxy is the reverse proxy in front of the replicas of one environment.
// It switches between releases atomically, sends a request to another replica where
// that is safe, and records the outcome of every request.
//
// Requests take one of two paths. Plain HTTP/1.1, whose requests have a short body
// of known length, is forwarded by the goroutine of the client's connection, which
// talks to the replica itself and copies the lines of a header as they are. All
// else goes through httputil.ReverseProxy, on the same connection: what it is, is
// decided before anything is sent.
package proxy

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
)

// Pool is the set of ready replicas of one release. It is safe for concurrent
// use. Requests hold it from their first byte to their last.
type Pool struct {
	release   delivery.ReleaseID
	transport *http.Transport
	grpc      *http.Transport // speaks HTTP/2 with replicas

	ready    atomic.Pointer[[]*backend]
	next     atomic.Uint32
	inflight atomic.Int64

	mu      sync.Mutex
	updates int                 // of ready
	dialers map[string]DialFunc // of the replicas; one that was removed has none
	changed chan struct{}       // closed and replaced at every change
	drained chan struct{}       // closed and replaced when no request holds the pool

	waiting atomic.Int32 // for drained

	proxies []netip.Prefix // that report who their clients are
}

// DialFunc connects to a replica, for example to a port inside of its network.
type DialFunc func(ctx context.Context) (net.Conn, error)

// NewPool returns an empty pool.
func NewPool(release delivery.ReleaseID) *Pool {
	p := &Pool{release: release, changed: make(chan struct{}), drained: make(chan struct{}), dialers: map[string]DialFunc{}}
	p.ready.Store(&[]*backend{})
	newTransport := func() *http.Transport {
		return &http.Transport{
			DialContext:         p.dialCounting,
			DisableCompression:  true, // client and service negotiate compression
			MaxIdleConnsPerHost: maxIdleLinks,
			IdleConnTimeout:     maxIdle,
		}
	}
	p.transport, p.grpc = newTransport(), newTransport()
	p.grpc.Protocols = &http.Protocols{}
	p.grpc.Protocols.SetUnencryptedHTTP2(true)
	return p
}

const dialTimeout = 2 * time.Second

// dialCounting connects for the transports.
func (p *Pool) dialCounting(ctx context.Context, _, address string) (net.Conn, error) {
	conn, err := p.dial(ctx, address)
	if err != nil {
		return nil, err
	}
	return &countingConn{Conn: conn}, nil
}

// dial connects to a replica. Once it was removed, another process may have its port.
func (p *Pool) dial(ctx context.Context, address string) (net.Conn, error) {
	p.mu.Lock()
	own := p.dialers[address]
	p.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	if own == nil {
		return nil, fmt.Errorf("connect to replica %s: %w", address, net.ErrClosed)
	}
	return own(ctx)
}

// Release returns the release of the replicas.
func (p *Pool) Release() delivery.ReleaseID { return p.release }

// Add adds a replica ("127.0.0.1:20001").
func (p *Pool) Add(address string) {
	p.AddDialer(address, func(ctx context.Context) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "tcp", address)
	})
}

// AddDialer adds a replica that is reached by dial, and has the address as its
// name only.
func (p *Pool) AddDialer(address string, dial DialFunc) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dialers[address] = dial
	p.setReady(append(slices.Clone(*p.ready.Load()), &backend{address: address}))
}

// Remove stops sending new requests to a replica.
func (p *Pool) Remove(address string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var kept []*backend
	for _, b := range *p.ready.Load() {
		if b.address == address {
			b.retire()
		} else {
			kept = append(kept, b)
		}
	}
	delete(p.dialers, address)
	p.setReady(kept)
}

// setReady replaces the list, which others read without a lock. The caller holds mu.
func (p *Pool) setReady(ready []*backend) {
	p.ready.Store(&ready)
	p.updates++
	close(p.changed)
	p.changed = make(chan struct{})
}

// Addresses returns the replicas that take requests, and how often they have changed.
func (p *Pool) Addresses() (addresses []string, changes int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, b := range *p.ready.Load() {
		addresses = append(addresses, b.address)
	}
	return addresses, p.updates
}

// changes returns a channel that is closed at the next change of the replicas.
func (p *Pool) changes() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.changed
}

// Drained waits until no request holds the pool, then closes idle connections. It
// returns the context's error.
func (p *Pool) Drained(ctx context.Context) error {
	defer p.closeIdle()
	p.waiting.Add(1)
	defer p.waiting.Add(-1)
	for {
		p.mu.Lock()
		drained := p.drained
		p.mu.Unlock()
		if p.inflight.Load() == 0 {
			return nil
		}
		select {
		case <-drained:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (p *Pool) closeIdle() {
	p.transport.CloseIdleConnections()
	p.grpc.CloseIdleConnections()
	for _, b := range *p.ready.Load() {
		b.closeIdle(time.Time{})
	}
}

// InFlight returns the number of requests that hold the pool.
func (p *Pool) InFlight() int { return int(p.inflight.Load()) }

func (p *Pool) dropRequest() {
	if p.inflight.Add(-1) > 0 || p.waiting.Load() == 0 {
		return
	}
	p.mu.Lock()
	close(p.drained)
	p.drained = make(chan struct{})
	p.mu.Unlock()
}

// leastLoaded returns the replica with the fewest requests that was not tried yet,
// round robin among equals, and counts a request of it; nil if there is none.
func (p *Pool) leastLoaded(tried map[*backend]bool) (picked *backend) {
	ready := *p.ready.Load()
	var least int64
	start := int(p.next.Add(1) % (1 << 16))
	for i := range ready {
		b := ready[(start+i)%len(ready)]
		if load := b.inflight.Load(); !tried[b] && (picked == nil || load < least) {
			picked, least = b, load
		}
	}
	if picked != nil {
		picked.inflight.Add(1)
	}
	return picked
}
