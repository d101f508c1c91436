// Package httpprobe implements port.Prober over HTTP.
package httpprobe

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/loopback"
	"github.com/slipway-cd/slipway/internal/port"
)

const (
	maxBody        = 1 << 20
	defaultTimeout = 5 * time.Second
)

// Prober opens a new connection for each probe. The zero value is ready to use.
type Prober struct {
	// Token returns the value of port.ProbeHeader for services of this machine, whose
	// front proxies count a request with another one as a user's; nil, or "": none.
	Token func() string
}

var _ port.Prober = Prober{}

// Probe sends the question. Redirects are answers, not followed: a service that
// sends its users elsewhere is not the one that answers.
func (p Prober) Probe(ctx context.Context, q port.ProbeRequest) (port.ProbeResponse, error) {
	method := q.Method
	if method == "" {
		method = http.MethodGet
	}
	timeout := q.Timeout
	if timeout == 0 {
		timeout = defaultTimeout
	}
	limited, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(limited, method, q.URL, bytes.NewReader(q.Body))
	if err != nil {
		return port.ProbeResponse{}, fault.New(fault.Invalid, "%s %s", method, q.URL).Cause(err)
	}
	setHeader(req, q)
	req.Header.Set(port.ProbeHeader, p.mark(req.URL.Hostname()))
	start := time.Now()
	reply, err := send(req)
	reply.Latency = time.Since(start)
	switch {
	case ctx.Err() != nil:
		return port.ProbeResponse{}, fmt.Errorf("%s %s: %w", method, q.URL, context.Cause(ctx))
	case err != nil:
		return port.ProbeResponse{}, fault.New(fault.Unavailable, "%s %s", method, q.URL).Cause(describeError(err, timeout))
	}
	return reply, nil
}

// mark returns the value of port.ProbeHeader. The token stays on this machine.
func (p Prober) mark(host string) string {
	if p.Token == nil || !loopback.IsHost(host) {
		return "1"
	}
	return cmp.Or(p.Token(), "1")
}

func setHeader(req *http.Request, q port.ProbeRequest) {
	if len(q.Body) > 0 {
		req.Header.Set("Content-Type", "application/json")
	}
	for name, values := range q.Header {
		req.Header[http.CanonicalHeaderKey(name)] = values
	}
	if host := req.Header.Get("Host"); host != "" {
		req.Host = host
	}
}

func send(req *http.Request) (port.ProbeResponse, error) {
	transport := &http.Transport{Proxy: proxyFor, DisableKeepAlives: true, DisableCompression: true}
	defer transport.CloseIdleConnections()
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return port.ProbeResponse{}, err
	}
	defer resp.Body.Close()
	if why := resp.Header.Get(port.ForwardErrorHeader); why != "" {
		return port.ProbeResponse{}, errors.New(why)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	kept := min(len(body), maxBody)
	return port.ProbeResponse{Status: resp.StatusCode, Header: resp.Header, Body: body[:kept], Truncated: len(body) > maxBody}, err
}

// proxyFor returns the proxy of the environment, but none for loopback addresses.
func proxyFor(req *http.Request) (*url.URL, error) {
	if loopback.IsHost(req.URL.Hostname()) {
		return nil, nil
	}
	return http.ProxyFromEnvironment(req)
}

// describeError replaces the text of a timeout, which names contexts.
func describeError(err error, timeout time.Duration) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return errors.New("no response within " + timeout.String())
	}
	return err
}
