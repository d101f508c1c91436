// Package proxy is the reverse proxy before the replicas of one environment: it
// switches between releases in one instant, sends a request that got no answer
// to another replica where that is safe, and counts what users got.
package proxy

import (
	"context"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
)

// Pool is the replicas of one release that can take requests. It is safe for
// concurrent use. Requests hold it from their first byte to their last.
type Pool struct {
	release   delivery.ReleaseID
	transport *http.Transport

	mu       sync.Mutex
	ready    []*backend
	next     int
	inflight int
	changed  chan struct{} // closed and replaced at every change
}

type backend struct {
	address  string
	inflight int
}

// NewPool makes an empty pool.
func NewPool(release delivery.ReleaseID) *Pool {
	dialer := net.Dialer{Timeout: 2 * time.Second}
	return &Pool{release: release, changed: make(chan struct{}), transport: &http.Transport{
		DialContext:         dialer.DialContext,
		DisableCompression:  true, // what the client accepts is between it and the service
		MaxIdleConnsPerHost: 256,
		// Many servers close idle connections after 5 s. Closing first avoids most
		// races with that; the rest are retried.
		IdleConnTimeout: 4 * time.Second,
	}}
}

// Release names whose replicas these are.
func (p *Pool) Release() delivery.ReleaseID { return p.release }

// Add lets a replica ("127.0.0.1:20001") take requests.
func (p *Pool) Add(address string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ready = append(p.ready, &backend{address: address})
	p.notify()
}

// Remove keeps new requests from a replica.
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
	p.notify()
}

// Drained waits until no request holds the pool, then closes its idle
// connections. The error is the context's.
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

// InFlight is how many requests hold the pool.
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

// acquire picks the replica with the fewest requests that was not tried yet, in
// turn among equals. Without one it is nil, and changed tells when to ask again.
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
