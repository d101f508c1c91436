package proxy

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync"
)

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
		transport := x.pool.transport
		if x.grpc {
			transport = x.pool.grpc
		}
		try := &attempt{}
		resp, err := transport.RoundTrip(try.request(req, x))
		if err == nil {
			return resp, nil
		}
		if req.Context().Err() != nil || !x.mayResend(try.failure(req, x)) {
			return nil, err
		}
		x.skip()
		previous = err
	}
}

// attempt is one attempt with one replica. It is set by the transport's goroutines.
type attempt struct {
	mu        sync.Mutex
	connected bool
	conn      *countingConn // nil: that of other requests, too
	before    int64         // bytes that conn had sent
	reused    bool
	responded bool
}

func (a *attempt) failure(req *http.Request, x *exchange) failure {
	a.mu.Lock()
	defer a.mu.Unlock()
	return failure{
		connected:  a.connected,
		sent:       a.conn == nil || a.conn.written.Load() != a.before,
		reused:     a.reused,
		responded:  a.responded,
		kept:       !x.streaming,
		idempotent: idempotent(req.Method, req.Header["Idempotency-Key"] != nil || req.Header["X-Idempotency-Key"] != nil),
	}
}

func (a *attempt) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		GetConn: func(string) {
			a.mu.Lock()
			defer a.mu.Unlock()
			a.connected = false // the transport has not sent what it sends again
		},
		GotConn: func(i httptrace.GotConnInfo) {
			a.mu.Lock()
			defer a.mu.Unlock()
			a.connected, a.reused = true, i.Reused
			if a.conn, _ = i.Conn.(*countingConn); a.conn != nil {
				a.before = a.conn.written.Load()
			}
		},
		WroteHeaderField: func(string, []string) { a.connect() }, // HTTP/2 has no GotConn
		GotFirstResponseByte: func() {
			a.mu.Lock()
			defer a.mu.Unlock()
			a.responded = true
		},
	}
}

func (a *attempt) connect() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.connected = true
}

func (a *attempt) request(req *http.Request, x *exchange) *http.Request {
	out := req.Clone(httptrace.WithClientTrace(req.Context(), a.trace()))
	out.URL.Host = x.backend.address
	switch {
	case x.streaming:
		out.Body = &streamedBody{x.original, a}
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

// streamedBody is a body that is not kept. A refused connection must not close it.
type streamedBody struct {
	io.ReadCloser
	attempt *attempt
}

// Read is called when the head of the request was sent, and no sooner.
func (b *streamedBody) Read(into []byte) (int, error) {
	b.attempt.connect()
	return b.ReadCloser.Read(into)
}

func (b *streamedBody) Close() error {
	b.attempt.mu.Lock()
	connected := b.attempt.connected
	b.attempt.mu.Unlock()
	if !connected {
		return nil
	}
	return b.ReadCloser.Close()
}
