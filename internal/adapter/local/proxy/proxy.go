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

// Limits of the users of a service, where its Config sets no other. docs/budgets.md
// lists them.
const (
	defaultReadyTimeout   = 5 * time.Second
	defaultMaxRetryBody   = 1 << 20
	defaultMaxKept        = 64 << 20
	defaultHeaderTimeout  = 10 * time.Second
	defaultStallTimeout   = 30 * time.Second
	defaultIdleTimeout    = 3 * time.Minute
	defaultMaxConnections = 10_000
	defaultMaxUpgraded    = 2000
	defaultUpgradeTimeout = time.Hour

	maxHeaderBytes   = 64 << 10  // of a request
	maxStreams       = 250       // of an HTTP/2 connection at a time
	maxStreamBuffer  = 64 << 10  // bytes of a request's body that HTTP/2 reads ahead
	maxStreamsBuffer = 128 << 10 // of all bodies of a connection
)

// Config configures a Proxy. The zero value is ready to use.
type Config struct {
	Recorder     Recorder      // nil: nothing is recorded
	ReadyTimeout time.Duration // how long a request waits for a ready replica
	MaxRetryBody int64         // bytes of a request body that are kept to send it again
	MaxKept      int64         // bytes of all bodies that are kept at a time
	MaxUpgraded  int64         // requests to change the protocol, and the streams that they become
	Sample       Sampler       // nil: no bodies are sampled
	Log          *log.Logger   // nil: discarded
	ProbeToken   string        // value of port.ProbeHeader in requests that are not recorded; empty: all are

	// Limits of the clients of Listen.
	HeaderTimeout  time.Duration // for a header, from its first byte to its last
	StallTimeout   time.Duration // without a byte of a body, or of a response that is taken
	IdleTimeout    time.Duration // between requests
	UpgradeTimeout time.Duration // without a byte of a stream of another protocol
	MaxConnections int           // of a server; those that wait longest for a request make room

	Now func() time.Time
}

// Proxy sends requests to the current pool. It is an http.Handler, and Listen
// serves it.
type Proxy struct {
	cfg     Config
	reverse *httputil.ReverseProxy
	bodies  budget
	streams budget // of upgraded connections

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
