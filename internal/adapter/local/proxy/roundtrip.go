package proxy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"time"
)

// bufferBody buffers a body up to the limit for retries. A longer one is
// streamed.
func (x *exchange) bufferBody(r *http.Request, limit int64) error {
	if r.Body == nil || r.Body == http.NoBody || r.ContentLength == 0 {
		return nil
	}
	if r.ContentLength > limit {
		x.streaming = true
		return nil
	}
	kept, err := io.ReadAll(io.LimitReader(r.Body, limit+1))
	if err != nil {
		return err
	}
	if int64(len(kept)) > limit {
		x.streaming = true
		r.Body = readCloser{io.MultiReader(bytes.NewReader(kept), r.Body), r.Body}
		return nil
	}
	if len(kept) == 0 {
		r.Body, r.ContentLength, r.TransferEncoding = http.NoBody, 0, nil
		return nil
	}
	x.body = kept
	return nil
}

type readCloser struct {
	io.Reader
	io.Closer
}

func (x *exchange) onResponse(resp *http.Response) {
	x.status = resp.StatusCode
	if resp.StatusCode == http.StatusSwitchingProtocols {
		x.respondedAt = x.proxy.cfg.Now() // the time after the upgrade is not latency
		return
	}
	resp.Body = &observedBody{resp.Body, x}
}

// observedBody records that a replica broke off its response.
type observedBody struct {
	io.ReadCloser
	x *exchange
}

func (w *observedBody) Read(b []byte) (int, error) {
	n, err := w.ReadCloser.Read(b)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, context.Canceled) {
		w.x.truncated.Store(true)
	}
	return n, err
}

// finish releases the pool and records the outcome. It also runs during a panic
// of the reverse proxy, which is how that aborts a truncated response.
func (x *exchange) finish(ctx context.Context) {
	if x.backend != nil {
		x.pool.giveBack(x.backend)
	}
	if x.pool == nil {
		return
	}
	defer x.pool.dropRequest()
	recorder, now := x.proxy.cfg.Recorder, x.proxy.cfg.Now()
	switch {
	case recorder == nil || x.clientGone || x.probe:
	case x.truncated.Load(), x.failed && ctx.Err() == nil:
		recorder.RecordFailure(x.pool.release, now)
	case x.completed && x.status != 0: // otherwise the client disconnected
		until := now
		if !x.respondedAt.IsZero() {
			until = x.respondedAt
		}
		recorder.RecordResponse(x.pool.release, now, x.status, until.Sub(x.start))
	}
}

var errNoReplica = errors.New("no replica is ready")

func isNoReplicaError(err error) bool { return errors.Is(err, errNoReplica) }

// pick waits for a replica of the current release that was not tried yet.
func (x *exchange) pick(ctx context.Context) error {
	if x.backend != nil {
		x.pool.giveBack(x.backend)
		x.backend = nil
	}
	deadline := time.NewTimer(x.proxy.cfg.ReadyTimeout)
	defer deadline.Stop()
	for {
		switched := x.proxy.attach(x)
		if x.pool == nil {
			return fmt.Errorf("no release is deployed here: %w", errNoReplica)
		}
		b, changed := x.pool.acquire(x.tried)
		if b != nil {
			x.backend = b
			return nil
		}
		again := time.NewTimer(100 * time.Millisecond)
		select {
		case <-switched:
		case <-changed:
		case <-again.C:
			clear(x.tried) // refused connections may work again
		case <-deadline.C:
			again.Stop()
			return errNoReplica
		case <-ctx.Done():
			again.Stop()
			return context.Cause(ctx)
		}
		again.Stop()
	}
}

// balancer is the transport of the reverse proxy. It tries replicas until one
// responds or a retry would not be safe.
type balancer struct{}

// RoundTrip sends the request.
func (balancer) RoundTrip(req *http.Request) (*http.Response, error) {
	x := exchangeOf(req.Context())
	var previous error
	for failures := 0; ; {
		if err := x.pick(req.Context()); err != nil {
			return nil, errors.Join(err, previous)
		}
		try := &attempt{}
		resp, err := x.pool.transport.RoundTrip(try.request(req, x))
		if err == nil {
			return resp, nil
		}
		if req.Context().Err() != nil || !try.retryable(req.Method, x, failures) {
			return nil, err
		}
		if try.connected.Load() {
			failures++
		}
		x.tried[x.backend] = true
		previous = err
	}
}

// attempt is one attempt with one replica. Its fields are set by the transport's
// goroutines.
type attempt struct {
	connected, reused, responded atomic.Bool
}

func (a *attempt) request(req *http.Request, x *exchange) *http.Request {
	trace := &httptrace.ClientTrace{
		GotConn: func(i httptrace.GotConnInfo) {
			a.connected.Store(true)
			a.reused.Store(i.Reused)
		},
		GotFirstResponseByte: func() { a.responded.Store(true) },
	}
	out := req.Clone(httptrace.WithClientTrace(req.Context(), trace))
	out.URL.Host = x.backend.address
	switch {
	case x.streaming:
		out.Body = unclosedBody{req.Body} // a refused connection must not close it
	case x.body != nil:
		out.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(x.body)), nil }
		out.Body, _ = out.GetBody()
		out.ContentLength = int64(len(x.body))
		out.TransferEncoding = nil
	}
	return out
}

type unclosedBody struct{ io.Reader }

func (unclosedBody) Close() error { return nil }

// retryable reports whether the request can be sent to another replica: always if
// this one was not reached; if it was, only before the first byte of a response,
// with a buffered body, and if the method is idempotent or the connection was
// reused, which the replica may have closed before it read the request.
func (a *attempt) retryable(method string, x *exchange, failures int) bool {
	switch {
	case !a.connected.Load():
		return true
	case a.responded.Load() || x.streaming || failures >= 2:
		return false
	case a.reused.Load():
		return true
	}
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace, http.MethodPut, http.MethodDelete:
		return true
	}
	return false
}
