package proxy

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httputil"
	"sync"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
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
	changed chan struct{}
}

// New returns a proxy without a pool, which responds with 503 until Switch.
func New(cfg Config) *Proxy {
	if cfg.ReadyTimeout == 0 {
		cfg.ReadyTimeout = 5 * time.Second
	}
	if cfg.MaxRetryBody == 0 {
		cfg.MaxRetryBody = 1 << 20
	}
	if cfg.Log == nil {
		cfg.Log = log.New(io.Discard, "", 0)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	p := &Proxy{cfg: cfg, changed: make(chan struct{})}
	p.reverse = &httputil.ReverseProxy{
		Rewrite:        rewrite,
		Transport:      balancer{},
		FlushInterval:  -1, // streams are passed on as they are written
		ModifyResponse: modifyResponse,
		ErrorHandler:   p.handleError,
		ErrorLog:       cfg.Log,
	}
	return p
}

// Switch directs all new requests to the pool (nil: 503) and returns the previous
// one. Requests in flight are not affected.
func (p *Proxy) Switch(to *Pool) (from *Pool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	from, p.current = p.current, to
	close(p.changed)
	p.changed = make(chan struct{})
	return from
}

// ServeHTTP forwards the request.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := &exchange{proxy: p, tried: map[*backend]bool{}, probe: r.Header.Get(port.ProbeHeader) != ""}
	defer x.finish(r.Context())
	if err := x.bufferBody(r, p.cfg.MaxRetryBody); err != nil {
		x.clientGone = true
		http.Error(w, "slipway: read the request: "+err.Error(), http.StatusBadRequest)
		return
	}
	x.start = p.cfg.Now() // a slow upload does not count as latency
	p.reverse.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), exchangeKey{}, x)))
	x.completed = true
}

func rewrite(r *httputil.ProxyRequest) {
	r.Out.URL.Scheme = "http"
	r.Out.URL.Host = "replica" // set by the balancer
	r.Out.Host = r.In.Host
	r.Out.Header.Del(port.ProbeHeader)
	r.SetXForwarded()
}

func modifyResponse(resp *http.Response) error {
	exchangeOf(resp.Request.Context()).onResponse(resp)
	return nil
}

// handleError responds to a request that no replica responded to.
func (p *Proxy) handleError(w http.ResponseWriter, r *http.Request, err error) {
	x := exchangeOf(r.Context())
	x.failed = true
	if r.Context().Err() != nil {
		return // the client is gone
	}
	status, release := http.StatusBadGateway, delivery.ReleaseID("")
	if x.pool != nil {
		release = x.pool.release
	}
	if isNoReplicaError(err) {
		status = http.StatusServiceUnavailable
		w.Header().Set("Retry-After", "1")
	}
	p.cfg.Log.Printf("%s %s: release %q: %v", r.Method, r.URL.Path, release, err)
	http.Error(w, fmt.Sprintf("slipway: release %q: %v", release, err), status)
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
