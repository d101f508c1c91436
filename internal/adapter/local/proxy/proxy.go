package proxy

import (
	"context"
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
	MaxRetryBody int64         // bytes of a request body that are buffered for a retry; default 1 MiB
	Log          *log.Logger   // nil: discarded
	Now          func() time.Time
}

// Proxy sends requests to the current pool. It is an http.Handler.
type Proxy struct {
	cfg     Config
	reverse *httputil.ReverseProxy

	mu      sync.Mutex
	current *Pool
	changes int // of current
	changed chan struct{}
}

// exchange is one client request and all attempts to forward it.
type exchange struct {
	proxy   *Proxy
	start   time.Time
	pool    *Pool    // held until it is finished
	backend *backend // the replica of the last attempt
	tried   map[*backend]bool
	resends int // after a replica may have read the request

	body        []byte // buffered for a retry
	streaming   bool   // the body is too long to buffer
	status      int
	respondedAt time.Time // time of a protocol upgrade
	failed      bool      // no replica responded
	completed   bool      // the response was forwarded completely
	clientGone  bool      // the client disconnected or sent an invalid request
	truncated   atomic.Bool
	probe       bool // a health probe, which is not recorded
}

type exchangeKey struct{}

func exchangeOf(ctx context.Context) *exchange {
	return ctx.Value(exchangeKey{}).(*exchange)
}

// Switch directs all new requests to the pool (nil: 503) and returns the previous
// one. Requests in flight are not affected.
func (p *Proxy) Switch(to *Pool) (from *Pool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	from, p.current = p.current, to
	p.changes++
	close(p.changed)
	p.changed = make(chan struct{})
	return from
}

// Current returns the pool that requests go to, and how often that has changed.
func (p *Proxy) Current() (pool *Pool, changes int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.current, p.changes
}

// attach makes the exchange hold the current pool instead of its previous one.
func (p *Proxy) attach(x *exchange) (changed <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if x.pool != p.current {
		if p.current != nil {
			p.current.retain()
		}
		if x.pool != nil {
			x.pool.dropRequest()
		}
		x.pool = p.current
	}
	return p.changed
}
