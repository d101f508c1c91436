package client

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	utilnet "k8s.io/apimachinery/pkg/util/net"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/wait"
)

// Pauses between attempts double from MinPause to MaxPause.
const (
	MinPause = 100 * time.Millisecond
	MaxPause = 2 * time.Second
)

// maxOutage is how long an API server may be away (it restarts, a load balancer
// moves) before a request fails.
const maxOutage = 45 * time.Second

// maxDiscard is how many bytes of a response are read so that its connection can be
// used again.
const maxDiscard = 1 << 16

// maxResponse is how many bytes a response may have that is read as a whole: a list of
// objects at most, of which others in the namespace may create as many as they like.
const maxResponse = 128 << 20

// retrier repeats requests while the API server is away. All writes of this program
// may be repeated: apply and delete by nature, the others carry a resourceVersion.
type retrier struct {
	next http.RoundTripper
	link *link
}

// RoundTrip gives up when the request's context ends or maxOutage has passed.
func (r retrier) RoundTrip(req *http.Request) (*http.Response, error) {
	start := time.Now()
	for pause := MinPause; ; pause = min(2*pause, MaxPause) {
		resp, err := r.next.RoundTrip(req)
		if err == nil && !isStream(req, resp) {
			resp, err = readWhole(resp)
		}
		r.link.observeClock(resp)
		if !r.retryable(resp, err) || !rewind(req) || time.Since(start) > maxOutage {
			return resp, err
		}
		if resp != nil {
			_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, maxDiscard))
			resp.Body.Close()
		}
		if err := wait.Sleep(req.Context(), pause); err != nil {
			return nil, err
		}
	}
}

// isStream reports whether a response must be passed on as it comes: watches and
// logs, and what becomes a connection of another protocol.
func isStream(req *http.Request, resp *http.Response) bool {
	return resp.StatusCode == http.StatusSwitchingProtocols || req.URL.Query().Get("watch") != "" || strings.HasSuffix(req.URL.Path, "/log")
}

// readWhole reads a response to its end, so that one that breaks off is requested
// again like one that never came.
func readWhole(resp *http.Response) (*http.Response, error) {
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxResponse+1))
	resp.Body.Close()
	if err != nil {
		return nil, truncatedError{err}
	}
	if len(body) > maxResponse {
		return nil, fault.New(fault.Exhausted, "the response of the API server has more than %d bytes", maxResponse).
			Hint("find out who created so many or so large objects in the namespace, and delete them")
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, nil
}

// truncatedError is a response whose body broke off.
type truncatedError struct{ err error }

// Error implements error.
func (e truncatedError) Error() string { return "read the response: " + e.err.Error() }

// Unwrap returns how the connection ended.
func (e truncatedError) Unwrap() error { return e.err }

// retryable reports whether the same request may succeed in a moment.
func (r retrier) retryable(resp *http.Response, err error) bool {
	if unavailable(resp, err) {
		r.link.markInterrupted()
		return true
	}
	return err == nil && resp.StatusCode == http.StatusForbidden && r.link.warmingUp()
}

// unavailable reports whether the API server did not respond, or a proxy responded
// in its place.
func unavailable(resp *http.Response, err error) bool {
	if err != nil {
		var truncated truncatedError
		return !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) &&
			(errors.As(err, &truncated) || utilnet.IsConnectionRefused(err) || utilnet.IsConnectionReset(err) || utilnet.IsProbableEOF(err) ||
				utilnet.IsHTTP2ConnectionLost(err) || utilnet.IsTimeout(err) || isBroken(err))
	}
	switch resp.StatusCode {
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// isBroken reports whether an established connection broke while it was read from or
// written to, in whatever way.
func isBroken(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && (op.Op == "read" || op.Op == "write")
}

// rewind makes the request's body readable once more, if it can.
func rewind(req *http.Request) bool {
	if req.Body == nil || req.Body == http.NoBody {
		return true
	}
	if req.GetBody == nil {
		return false
	}
	body, err := req.GetBody()
	if err != nil {
		return false
	}
	req.Body = body
	return true
}
