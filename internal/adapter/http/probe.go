// Package httpprobe asks services over HTTP the way a user would.
package httpprobe

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

const (
	maxBody        = 1 << 20
	maxRedirects   = 10
	defaultTimeout = 10 * time.Second
)

// Prober fulfils port.Prober. Safe for concurrent use.
type Prober struct {
	client *http.Client
	now    func() time.Time
}

var _ port.Prober = (*Prober)(nil)

// New makes a Prober.
func New() *Prober {
	return &Prober{now: time.Now, client: &http.Client{
		CheckRedirect: sameHost,
		Transport: &http.Transport{
			Proxy:              proxy,
			DisableKeepAlives:  true, // an old connection would reach an old release
			DisableCompression: true, // so that the limit is one of bytes sent
			DialContext:        (&net.Dialer{KeepAlive: -1}).DialContext,
			ForceAttemptHTTP2:  true,
		},
	}}
}

// Ask sends the question over a new connection and reads the whole answer, or
// its first megabyte.
func (p *Prober) Ask(ctx context.Context, q port.Question) (port.Reply, error) {
	req, err := request(q)
	if err != nil {
		return port.Reply{}, err
	}
	timeout := q.Timeout
	if timeout <= 0 {
		timeout = defaultTimeout
	}
	limited, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	start := p.now()
	resp, err := p.client.Do(req.WithContext(limited))
	if err != nil {
		return port.Reply{}, unanswered(ctx, req, timeout, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	if err != nil {
		return port.Reply{}, unanswered(ctx, req, timeout, err)
	}
	return port.Reply{Status: resp.StatusCode, Header: resp.Header, Body: body, Latency: p.now().Sub(start)}, nil
}

func request(q port.Question) (*http.Request, error) {
	method := q.Method
	if method == "" {
		method = http.MethodGet
	}
	req, err := http.NewRequest(method, q.URL, bytes.NewReader(q.Body))
	if err != nil {
		return nil, fault.New(fault.Invalid, "ask a service: %s is no HTTP request", method) // the URL may hold a password
	}
	if req.URL.Hostname() == "" || req.URL.Scheme != "http" && req.URL.Scheme != "https" {
		return nil, fault.New(fault.Invalid, "ask a service: %q is no HTTP address", req.URL.Redacted())
	}
	if len(q.Body) > 0 {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set("User-Agent", "slipway-probe")
	return req, nil
}

// unanswered tells why there is no answer.
func unanswered(ctx context.Context, req *http.Request, timeout time.Duration, err error) error {
	act := req.Method + " " + req.URL.Redacted()
	if ctx.Err() != nil {
		return fmt.Errorf("%s: %w", act, context.Cause(ctx))
	}
	var asked *url.Error
	if errors.As(err, &asked) {
		err = asked.Err // it repeats the address
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return fault.New(fault.Unavailable, "%s: no answer within %s", act, timeout)
	}
	return fault.New(fault.Unavailable, "%s: no answer", act).Because(err)
}

// sameHost follows redirects within the service; one that leads elsewhere is
// itself the answer.
func sameHost(req *http.Request, via []*http.Request) error {
	if req.URL.Host != via[0].URL.Host || len(via) >= maxRedirects {
		return http.ErrUseLastResponse
	}
	return nil
}

// proxy never stands between us and this machine's own services.
func proxy(req *http.Request) (*url.URL, error) {
	host := req.URL.Hostname()
	if ip := net.ParseIP(host); host == "localhost" || ip != nil && ip.IsLoopback() {
		return nil, nil
	}
	return http.ProxyFromEnvironment(req)
}
