package proxy

import (
	"log"
	"net/http/httputil"
	"sync"
	"sync/atomic"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
)

// Recorder records the outcome of every request. *latency.Recorder is one.
type Recorder interface {
	RecordResponse(id delivery.ReleaseID, at time.Time, status int, took time.Duration)
	RecordFailure(id delivery.ReleaseID, at time.Time)
}

// Config configures a Proxy. The zero value is ready to use.
type Config struct {
	Recorder     Recorder      // nil: nothing is recorded
	ReadyTimeout time.Duration // how long a request waits for a ready replica; default 5 s
	MaxRetryBody int64         // bytes of a request body that are kept to send it again; default 1 MiB
	MaxKept      int64         // bytes of all bodies that are kept at a time; default 64 MiB
	Sample       Sampler       // nil: no bodies are sampled
	Log          *log.Logger   // nil: discarded
	ProbeToken   string        // value of port.ProbeHeader in requests that are not recorded; empty: all are

	// Limits of the clients of Listen.
	HeaderTimeout  time.Duration // for a header, from its first byte to its last; default 10 s
	StallTimeout   time.Duration // without a byte of a body, or of a response that is taken; default 30 s
	IdleTimeout    time.Duration // between requests; default 3 min
	MaxConnections int           // of a server; those that wait longest for a request make room; default 10,000

	Now func() time.Time
}

// Proxy sends requests to the current pool. It is an http.Handler, and Listen
// serves it.
type Proxy struct {
	cfg     Config
	reverse *httputil.ReverseProxy
	bodies  budget

	current atomic.Pointer[Pool]

	mu      sync.Mutex
	changes int // of current
	changed chan struct{}
}

// Switch directs all new requests to the pool (nil: 503) and returns the previous
// one. Requests in flight are not affected.
func (p *Proxy) Switch(to *Pool) (from *Pool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	from = p.current.Swap(to)
	p.changes++
	close(p.changed)
	p.changed = make(chan struct{})
	return from
}

// Current returns the pool that requests go to, and how often that has changed.
func (p *Proxy) Current() (pool *Pool, changes int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.current.Load(), p.changes
}

// switched returns a channel that is closed at the next Switch.
func (p *Proxy) switched() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.changed
}

// retainCurrent returns the current pool with one request more; nil if there is
// none. A pool that is no longer current by then may be drained already, and its
// replicas gone.
func (p *Proxy) retainCurrent() *Pool {
	for {
		pool := p.current.Load()
		if pool == nil {
			return nil
		}
		pool.inflight.Add(1)
		if p.current.Load() == pool {
			return pool
		}
		pool.dropRequest()
	}
}
