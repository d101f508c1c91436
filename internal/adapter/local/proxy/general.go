package proxy

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httputil"
	"strings"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/local/proxy/wire"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/textline"
)

// New returns a proxy without a pool, which responds with 503 until Switch.
func New(cfg Config) *Proxy {
	setDefault(&cfg.ReadyTimeout, defaultReadyTimeout)
	setDefault(&cfg.MaxRetryBody, defaultMaxRetryBody)
	setDefault(&cfg.MaxKept, defaultMaxKept)
	setDefault(&cfg.MaxUpgraded, defaultMaxUpgraded)
	setDefault(&cfg.HeaderTimeout, defaultHeaderTimeout)
	setDefault(&cfg.StallTimeout, defaultStallTimeout)
	setDefault(&cfg.IdleTimeout, defaultIdleTimeout)
	setDefault(&cfg.UpgradeTimeout, defaultUpgradeTimeout)
	setDefault(&cfg.MaxConnections, defaultMaxConnections)
	if cfg.Log == nil {
		cfg.Log = log.New(io.Discard, "", 0)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	p := &Proxy{cfg: cfg, bodies: budget{max: cfg.MaxKept}, streams: budget{max: cfg.MaxUpgraded}, changed: make(chan struct{})}
	p.reverse = newReverseProxy(p)
	return p
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// newReverseProxy returns the general path.
func newReverseProxy(p *Proxy) *httputil.ReverseProxy {
	return &httputil.ReverseProxy{
		Rewrite:        p.rewrite,
		Transport:      balancer{},
		FlushInterval:  -1, // streams are passed on as they are written
		ModifyResponse: modifyResponse,
		ErrorHandler:   p.handleError,
		ErrorLog:       p.cfg.Log,
	}
}

// ServeHTTP forwards the request by the general path.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !isForReplicas(r) {
		http.Error(w, "slipway: method not allowed", http.StatusMethodNotAllowed)
		return
	}
	x := &exchange{route: route{proxy: p, probe: wire.IsProbe(p.cfg.ProbeToken, []byte(r.Header.Get(port.ProbeHeader)))}, grpc: isGRPC(r)}
	// A copy: net/http looks at the body of its own to see whether it was read to its end. Of
	// one that was not, the rest must not be taken for the next request.
	r = r.WithContext(context.WithValue(r.Context(), exchangeKey{}, x))
	defer x.finish(r.Context())
	if r.Header.Get("Upgrade") != "" {
		if !p.streams.take(1) {
			w.Header().Set("Retry-After", "1")
			http.Error(w, "slipway: too many connections of other protocols", http.StatusServiceUnavailable)
			return
		}
		defer p.streams.giveBack(1)
	}
	if r.Body != nil && r.Body != http.NoBody && !x.grpc { // a stream of gRPC may be silent
		r.Body = &progressBody{r.Body, http.NewResponseController(w), p.cfg.StallTimeout}
	}
	if err := x.keepBody(r); err != nil {
		x.clientGone = true
		id := p.logFailure(&x.route, r.Method, r.URL.Path, fmt.Errorf("read the request: %w", err))
		http.Error(w, "slipway: the request was not complete (request "+id+")", http.StatusBadRequest)
		return
	}
	x.original = r.Body
	x.sampling = p.cfg.Sample.start(r.Method, r.URL.RequestURI())
	x.start = p.cfg.Now() // a slow upload does not count as latency
	p.reverse.ServeHTTP(w, r)
	x.completed = true
}

// progressBody ends a body of which nothing came for a time.
type progressBody struct {
	io.ReadCloser
	conn *http.ResponseController
	max  time.Duration
}

func (b *progressBody) Read(into []byte) (int, error) {
	_ = b.conn.SetReadDeadline(time.Now().Add(b.max)) // tests have connections without deadlines
	n, err := b.ReadCloser.Read(into)
	if errors.Is(err, io.EOF) { // otherwise the rest is not waited for either
		_ = b.conn.SetReadDeadline(time.Time{})
	}
	return n, err
}

func (p *Proxy) rewrite(r *httputil.ProxyRequest) {
	r.Out.URL.Scheme = "http"
	r.Out.URL.Host = "replica" // set by the balancer
	r.Out.Host = r.In.Host
	r.Out.Header.Del(port.ProbeHeader)
	for name := range r.Out.Header { // that services take for those that are set below
		if strings.Contains(name, "_") && strings.HasPrefix(strings.ToLower(strings.ReplaceAll(name, "_", "-")), "x-forwarded-") {
			delete(r.Out.Header, name)
		}
	}
	dropUpgrade(r.Out.Header)
	p.setForwarded(r)
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
	status, text := p.explain(&x.route, r.Method, r.URL.Path, err)
	if status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "1")
	}
	http.Error(w, text, status)
}

// explain logs why no replica responded, and returns what the client is told. Releases
// and addresses are for those who read the log, and the number leads there.
func (p *Proxy) explain(r *route, method, path string, err error) (status int, text string) {
	id := p.logFailure(r, method, path, err)
	if isNoReplicaError(err) {
		return http.StatusServiceUnavailable, "slipway: the service is not available (request " + id + ")"
	}
	return http.StatusBadGateway, "slipway: the service did not respond (request " + id + ")"
}

// logFailure logs a request that failed, and returns the number that it has in the log.
func (p *Proxy) logFailure(r *route, method, path string, err error) (id string) {
	var release delivery.ReleaseID
	if r.pool != nil {
		release = r.pool.release
	}
	id = rand.Text()[:requestIDLength]
	p.cfg.Log.Printf("request %s: %s %q: release %q: %s", id, textline.Printable(method, maxLogged), shorten(path), release, textline.Printable(err.Error(), maxLogged))
	return id
}

// requestIDLength is enough to find a failure in a log.
const requestIDLength = 12

// maxLogged is how much of a text is logged: a client chooses method and path, and must
// not fill the disk with them.
const maxLogged = 200

// shorten cuts what a client sent. It is quoted where it is logged: a line feed in it
// would begin a line that looks like one of the supervisor.
func shorten(text string) string {
	if len(text) > maxLogged {
		return text[:maxLogged] + "..."
	}
	return text
}
