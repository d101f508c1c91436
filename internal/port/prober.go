package port

import (
	"context"
	"net/http"
	"time"
)

// ProbeRequest is one HTTP request to a service.
type ProbeRequest struct {
	Method  string // default GET
	URL     string
	Header  http.Header // Host is the host that is asked for
	Body    []byte      // JSON when not empty, unless Header has a Content-Type
	Timeout time.Duration
}

// ProbeResponse is the response to a ProbeRequest.
type ProbeResponse struct {
	Status    int
	Header    http.Header
	Body      []byte // at most 1 MiB
	Truncated bool   // the body is longer
	Latency   time.Duration
}

// ProbeHeader marks the requests of a Prober, so that they are not counted as
// traffic of users. A proxy removes it, so that a service cannot behave better
// for a probe. Its value is a token where the proxy knows one: other requests with the
// header are users'.
const ProbeHeader = "Slipway-Probe"

// ForwardErrorHeader marks a response that is not the service's: the address
// belongs to a target, which could not connect to the service. Its value is the
// reason. A Prober returns it as an error of kind fault.Unavailable.
const ForwardErrorHeader = "Slipway-Forward-Error"

// Prober sends requests to a service as a user would: with a new connection each
// time, so that an old one cannot hide a change, and with ProbeHeader.
type Prober interface {
	// Probe sends the request. No response (refused, timed out, cut off) is
	// fault.Unavailable; a response with any status is not an error.
	Probe(ctx context.Context, req ProbeRequest) (ProbeResponse, error)
}
