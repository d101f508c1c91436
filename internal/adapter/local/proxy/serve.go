package proxy

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httputil"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
)

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
