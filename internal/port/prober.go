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
	Body    []byte // JSON when not empty
	Timeout time.Duration
}

// ProbeResponse is its answer.
type ProbeResponse struct {
	Status  int
	Header  http.Header
	Body    []byte // at most 1 MiB
	Latency time.Duration
}

// ProbeHeader marks the questions of a Prober, so that whoever measures traffic
// can tell them from users. A proxy takes it off: a service must not be able to
// behave better for a probe. It is no proof: whoever sends it is not counted.
const ProbeHeader = "Slipway-Probe"

// ForwardErrorHeader marks a response that is not the service's: the address
// belongs to a target, which could not connect to the service. Its value is the
// reason. A Prober returns it as an error of kind fault.Unavailable.
const ForwardErrorHeader = "Slipway-Forward-Error"

// Prober asks a service the way a user would: a new connection each time, so
// that an old one can't hide a change, and with ProbeHeader.
type Prober interface {
	// Probe sends the question. No answer (refused, timed out, broken off) is an
	// error of kind fault.Unavailable; any status is an answer.
	Probe(ctx context.Context, q ProbeRequest) (ProbeResponse, error)
}
