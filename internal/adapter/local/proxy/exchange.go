package proxy

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// exchange is one request of the general path, and all attempts to forward it.
type exchange struct {
	route
	start       time.Time
	body        []byte        // kept to send it again
	kept        int64         // bytes of the budget
	streaming   bool          // the body is not kept
	original    io.ReadCloser // the body; that of the reverse proxy does not close it
	grpc        bool
	sampling    *sampling
	status      int
	grpcStatus  string
	respondedAt time.Time // time of a protocol upgrade
	failed      bool      // no replica responded
	completed   bool      // the response was forwarded completely
	clientGone  bool      // the client disconnected or sent an invalid request
	truncated   atomic.Bool
}

type exchangeKey struct{}

func exchangeOf(ctx context.Context) *exchange {
	return ctx.Value(exchangeKey{}).(*exchange)
}

// isGRPC reports whether a request is one of gRPC, which is HTTP/2 on both sides.
func isGRPC(r *http.Request) bool {
	return r.ProtoMajor == 2 && strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc")
}

// keepBody keeps a body up to the limit, to send it again, if it is within the
// budget of all. Others are streamed, and those of gRPC, which may wait for a
// response.
func (x *exchange) keepBody(r *http.Request) error {
	if r.Body == nil || r.Body == http.NoBody || r.ContentLength == 0 {
		return nil
	}
	limit := x.proxy.cfg.MaxRetryBody
	if r.ContentLength >= 0 {
		limit = min(limit, r.ContentLength)
	}
	if x.grpc || r.ContentLength > limit || !x.proxy.bodies.take(limit) {
		x.streaming = true
		return nil
	}
	x.kept = limit
	var all bytes.Buffer
	if r.ContentLength > 0 { // growing takes twice the memory
		all.Grow(int(limit) + bytes.MinRead)
	}
	if _, err := all.ReadFrom(io.LimitReader(r.Body, limit+1)); err != nil {
		return err
	}
	kept := all.Bytes()
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
		if client, ok := resp.Request.Context().Value(sessionKey{}).(*session); ok {
			client.upgraded.Store(true)
		}
		return
	}
	if x.grpc {
		moveStatusToTrailer(resp)
	}
	resp.Body = &observedBody{resp.Body, x, resp}
}

// moveStatusToTrailer gives a response of gRPC that is a header only the usual form: a
// header that is passed on before its end is known must not have the status.
func moveStatusToTrailer(resp *http.Response) {
	for name, values := range resp.Header {
		if strings.HasPrefix(name, "Grpc-Status") || name == "Grpc-Message" {
			if resp.Trailer == nil {
				resp.Trailer = http.Header{}
			}
			resp.Trailer[name] = values
			delete(resp.Header, name)
		}
	}
}

// observedBody records that a replica broke off its response.
type observedBody struct {
	io.ReadCloser
	x    *exchange
	resp *http.Response
}

func (w *observedBody) Read(b []byte) (int, error) {
	n, err := w.ReadCloser.Read(b)
	w.x.sampling.add(b[:n])
	switch {
	case errors.Is(err, io.EOF):
		w.x.grpcStatus = w.resp.Trailer.Get("Grpc-Status")
	case err != nil && !errors.Is(err, context.Canceled):
		w.x.truncated.Store(true)
	}
	return n, err
}

// finish releases the pool and records the outcome. It also runs during a panic
// of the reverse proxy, which is how that aborts a truncated response.
func (x *exchange) finish(ctx context.Context) {
	defer x.release()
	x.proxy.bodies.giveBack(x.kept)
	if x.pool == nil {
		return
	}
	switch {
	case x.clientGone:
	case x.truncated.Load(), x.failed && ctx.Err() == nil:
		x.recordFailure()
	case x.completed && x.status != 0: // otherwise the client disconnected
		now := x.proxy.cfg.Now()
		until := now
		if !x.respondedAt.IsZero() {
			until = x.respondedAt
		}
		x.recordResponse(now, x.recordedStatus(), until.Sub(x.start))
		if !x.streaming {
			x.sampling.finish(Sample{Release: x.pool.release, Status: x.status, Request: x.body, Took: until.Sub(x.start)})
		}
	}
}

// recordedStatus is the status that the watch counts. Errors of gRPC have status 200
// and a number in the trailer; those of the service rather than of the request are
// unknown, deadline exceeded, unimplemented, internal, unavailable and data loss.
func (x *exchange) recordedStatus() int {
	if code, err := strconv.Atoi(x.grpcStatus); x.grpc && err == nil {
		switch code {
		case 2, 4, 12, 13, 14, 15:
			return http.StatusInternalServerError
		}
	}
	return x.status
}
