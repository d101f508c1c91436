package kubernetes

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	utilnet "k8s.io/apimachinery/pkg/util/net"
)

// How long an API server may be away (it restarts, a load balancer moves) before
// a request is given up, and how long is waited between.
const (
	awayTime  = 45 * time.Second
	firstWait = 100 * time.Millisecond
	lastWait  = 2 * time.Second
)

// retrying asks again while the API server is away. All our writes may be
// repeated: apply and delete by nature, the others carry a resourceVersion.
type retrying struct {
	next http.RoundTripper
	line *line
}

// RoundTrip gives up when the request's context ends or awayTime has passed.
func (r retrying) RoundTrip(req *http.Request) (*http.Response, error) {
	begun := time.Now()
	for wait := firstWait; ; wait = min(2*wait, lastWait) {
		resp, err := r.next.RoundTrip(req)
		if err == nil && !streams(req, resp) {
			resp, err = whole(resp)
		}
		r.line.note(resp)
		if !r.again(resp, err) || !rewind(req) || time.Since(begun) > awayTime {
			return resp, err
		}
		if resp != nil {
			_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<16))
			resp.Body.Close()
		}
		select {
		case <-req.Context().Done():
			return nil, context.Cause(req.Context())
		case <-time.After(wait):
		}
	}
}

// streams reports whether a response must be passed on as it comes: watches and
// logs, and what becomes a connection of another protocol.
func streams(req *http.Request, resp *http.Response) bool {
	return resp.StatusCode == http.StatusSwitchingProtocols || req.URL.Query().Get("watch") != "" || strings.HasSuffix(req.URL.Path, "/log")
}

// whole reads a response to its end, so that one that breaks off is asked for
// again like one that never came.
func whole(resp *http.Response) (*http.Response, error) {
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil {
		return nil, brokenError{err}
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, nil
}

// brokenError is a response whose body broke off.
type brokenError struct{ err error }

// Error is for people.
func (b brokenError) Error() string { return "read the response: " + b.err.Error() }

// Unwrap is how the connection ended.
func (b brokenError) Unwrap() error { return b.err }

// again tells that the same request may be answered otherwise in a moment.
func (r retrying) again(resp *http.Response, err error) bool {
	if away(resp, err) {
		r.line.cut()
		return true
	}
	return err == nil && resp.StatusCode == http.StatusForbidden && r.line.wakes()
}

// away tells that nobody answered, or that somebody in between did.
func away(resp *http.Response, err error) bool {
	if err != nil {
		var broken brokenError
		return !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) &&
			(errors.As(err, &broken) || utilnet.IsConnectionRefused(err) || utilnet.IsConnectionReset(err) || utilnet.IsProbableEOF(err) ||
				utilnet.IsHTTP2ConnectionLost(err) || utilnet.IsTimeout(err))
	}
	switch resp.StatusCode {
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
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
