package kubernetes

import (
	"context"
	"errors"
	"io"
	"net/http"
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
		return !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) &&
			(utilnet.IsConnectionRefused(err) || utilnet.IsConnectionReset(err) || utilnet.IsProbableEOF(err) ||
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
