package proxy

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync"
	"sync/atomic"
)

// maxResends is how often a request that a replica may have read is sent again. A
// request that kills its replica would kill all of them otherwise.
const maxResends = 1

// balancer is the transport of the reverse proxy. It tries replicas until one
// responds or sending the request again would not be safe.
type balancer struct{}

// RoundTrip sends the request.
func (balancer) RoundTrip(req *http.Request) (*http.Response, error) {
	x := exchangeOf(req.Context())
	var previous error
	for {
		if err := x.pick(req.Context()); err != nil {
			return nil, errors.Join(err, previous)
		}
		try := &attempt{}
		resp, err := x.pool.transport.RoundTrip(try.request(req, x))
		if err == nil {
			return resp, nil
		}
		if req.Context().Err() != nil || !x.mayResend(req, try) {
			return nil, err
		}
		x.tried[x.backend] = true
		previous = err
	}
}

// mayResend reports whether a request goes to another replica after a failed
// attempt. One that was not sent does. One that a replica may have read is sent
// again as net/http does it: only if it is idempotent, and only after a connection
// that was used before, which the replica may have closed meanwhile. Each of those
// is recorded as a failure of the release, because it may have been one.
func (x *exchange) mayResend(req *http.Request, try *attempt) bool {
	conn, reused, responded := try.last()
	switch {
	case conn == nil:
		return true
	case responded || x.streaming:
		return false
	case !conn.sent():
		return true
	case !reused || !idempotent(req) || x.resends == maxResends:
		return false
	}
	x.resends++
	x.recordFailure()
	return true
}

// idempotent reports whether a request may be executed twice, by the definition of
// net/http. PUT and DELETE are not: a second DELETE has another response.
func idempotent(req *http.Request) bool {
	switch req.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace:
		return true
	}
	return req.Header["Idempotency-Key"] != nil || req.Header["X-Idempotency-Key"] != nil
}

// attempt is one attempt with one replica. It is set by the transport's goroutines.
type attempt struct {
	mu        sync.Mutex
	conn      *usedConn // nil: not connected
	reused    bool
	responded bool
}

// usedConn is a connection as it was when an attempt got it.
type usedConn struct {
	*countingConn
	before int64
}

func (c *usedConn) sent() bool { return c.written.Load() != c.before }

func (a *attempt) last() (conn *usedConn, reused, responded bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.conn, a.reused, a.responded
}

func (a *attempt) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		GetConn: func(string) {
			a.mu.Lock()
			defer a.mu.Unlock()
			a.conn = nil // the transport has not sent what it sends again
		},
		GotConn: func(i httptrace.GotConnInfo) {
			a.mu.Lock()
			defer a.mu.Unlock()
			a.reused = i.Reused
			if c, ok := i.Conn.(*countingConn); ok {
				a.conn = &usedConn{c, c.written.Load()}
			}
		},
		GotFirstResponseByte: func() {
			a.mu.Lock()
			defer a.mu.Unlock()
			a.responded = true
		},
	}
}

func (a *attempt) request(req *http.Request, x *exchange) *http.Request {
	out := req.Clone(httptrace.WithClientTrace(req.Context(), a.trace()))
	out.URL.Host = x.backend.address
	switch {
	case x.streaming:
		out.Body = unclosedBody{req.Body} // a refused connection must not close it
	case x.body != nil:
		out.Body = io.NopCloser(bytes.NewReader(x.body))
		out.ContentLength = int64(len(x.body))
		out.TransferEncoding = nil
	default:
		preventResend(out)
	}
	return out
}

// preventResend makes a request without a body one that the transport does not send
// again by itself, as often as it finds used connections: its body is not known to
// be empty until it is read, and keys of idempotency have no canonical spelling.
func preventResend(out *http.Request) {
	switch out.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		out.Body = io.NopCloser(http.NoBody)
	}
	for _, name := range []string{"Idempotency-Key", "X-Idempotency-Key"} {
		if values, ok := out.Header[name]; ok {
			delete(out.Header, name)
			out.Header[strings.ToLower(name)] = values
		}
	}
}

type unclosedBody struct{ io.Reader }

func (unclosedBody) Close() error { return nil }

// countingConn counts the bytes that were sent.
type countingConn struct {
	net.Conn
	written atomic.Int64
}

func (c *countingConn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.written.Add(int64(n))
	return n, err
}
