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

// Recorder is told how every request ended. meter.Recorder is one.
type Recorder interface {
	RecordResponse(id delivery.ReleaseID, at time.Time, status int, took time.Duration)
	RecordFailure(id delivery.ReleaseID, at time.Time)
}

// Config is what a proxy needs; the zero value is useful.
type Config struct {
	Recorder     Recorder      // nil: nothing is counted
	ReadyTimeout time.Duration // how long a request waits for a replica when none is ready; default 5 s
	MaxRetryBody int64         // bytes of a request body that are kept for another try; default 1 MiB
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

// New makes a proxy without a pool: it answers 503 until Switch.
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
		FlushInterval:  -1, // streams reach the client as they are written
		ModifyResponse: modifyResponse,
		ErrorHandler:   p.handleError,
		ErrorLog:       cfg.Log,
	}
	return p
}

// Switch sends every request that begins from now on to the pool (nil: 503) and
// returns the one before. Requests that began earlier stay where they are.
func (p *Proxy) Switch(to *Pool) (from *Pool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	from, p.current = p.current, to
	close(p.changed)
	p.changed = make(chan struct{})
	return from
}

// ServeHTTP passes the request on.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := &exchange{proxy: p, tried: map[*backend]bool{}, probe: r.Header.Get(port.ProbeHeader) != ""}
	defer x.finish(r.Context())
	if err := x.bufferBody(r, p.cfg.MaxRetryBody); err != nil {
		x.clientGone = true
		http.Error(w, "slipway: read the request: "+err.Error(), http.StatusBadRequest)
		return
	}
	x.start = p.cfg.Now() // a slow upload is not the service's latency
	p.reverse.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), exchangeKey{}, x)))
	x.completed = true
}

func rewrite(r *httputil.ProxyRequest) {
	r.Out.URL.Scheme = "http"
	r.Out.URL.Host = "replica" // the balancer names the real one
	r.Out.Host = r.In.Host
	r.Out.Header.Del(port.ProbeHeader)
	r.SetXForwarded()
}

func modifyResponse(resp *http.Response) error {
	exchangeOf(resp.Request.Context()).onResponse(resp)
	return nil
}

// handleError answers for a request that no replica answered.
func (p *Proxy) handleError(w http.ResponseWriter, r *http.Request, err error) {
	x := exchangeOf(r.Context())
	x.failed = true
	if r.Context().Err() != nil {
		return // nobody is there to read it
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

// attach makes the exchange hold the current pool instead of the one it held.
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
