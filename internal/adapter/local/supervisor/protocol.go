//go:build linux

// Package supervisor keeps releases running on this machine: it starts their
// replicas as containers, restarts them, switches the traffic between releases
// and remembers what should run across its own end. The local target talks to it
// over a unix socket.
package supervisor

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// Protocol is the version of what is said over the socket. It grows when an
// older or newer counterpart would misunderstand.
const Protocol = 1

// The calls. Hello and Stop keep their form in every protocol.
const (
	CallHello   = "/hello"
	CallStop    = "/stop"
	CallUp      = "/up"
	CallStage   = "/stage"
	CallPromote = "/promote"
	CallDiscard = "/discard"
	CallRemove  = "/remove"
	CallObserve = "/observe"
	CallTraffic = "/traffic"
)

// HelloResponse is how a supervisor introduces itself.
type HelloResponse struct {
	Protocol int    `json:"protocol"`
	PID      int    `json:"pid"`
	Runtime  string `json:"runtime"`
}

// StopRequest asks it to end.
type StopRequest struct {
	OnlyIdle bool `json:"only_idle,omitempty"` // not if it has something to serve
}

// ReleaseRequest is a release for an environment, with everything that is needed to run
// it without asking anybody.
type ReleaseRequest struct {
	Service      string               `json:"service"`
	Environment  delivery.Environment `json:"environment"`
	Release      delivery.ReleaseID   `json:"release"`
	Port         int                  `json:"port"`             // 0: chosen once and kept
	ReadyTimeout delivery.Duration    `json:"within,omitempty"` // to become ready; 0: the supervisor's default
	Spec         Spec                 `json:"spec"`
}

// Spec is how a release runs here.
type Spec struct {
	Rootfs       string            `json:"rootfs"`          // absolute folder
	Model        string            `json:"model,omitempty"` // absolute folder
	ModelVersion string            `json:"model_version,omitempty"`
	Image        port.ImageConfig  `json:"image"`
	Workload     delivery.Workload `json:"workload"`
}

// TrafficRequest asks for a release's traffic.
type TrafficRequest struct {
	Service     string               `json:"service"`
	Environment delivery.Environment `json:"environment"`
	Release     delivery.ReleaseID   `json:"release"`
	Since       time.Time            `json:"since"`
}

// Message is one line of an answer: progress, then the value or the fault.
type Message struct {
	Progress string          `json:"say,omitempty"`
	Value    json.RawMessage `json:"value,omitempty"`
	Error    *RemoteError    `json:"fault,omitempty"`
}

// RemoteError is an error on its way to the client.
type RemoteError struct {
	Kind fault.Kind `json:"kind"`
	Text string     `json:"what"`
	Hint string     `json:"hint,omitempty"`
}

// NewRemoteError makes err ready to travel.
func NewRemoteError(err error) *RemoteError {
	return &RemoteError{Kind: fault.KindOf(err), Text: err.Error(), Hint: fault.HintOf(err)}
}

// Err makes it an error again.
func (f *RemoteError) Err() error {
	return fault.New(f.Kind, "%s", f.Text).Hint("%s", f.Hint)
}

// EnvironmentKey names an environment of a service.
func EnvironmentKey(service string, env delivery.Environment) string {
	return service + "/" + string(env)
}

// names become folders.
var namePattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$`)

// ValidateNames refuses names that cannot be folders.
func ValidateNames(service string, env delivery.Environment) error {
	for _, n := range []string{service, string(env)} {
		if !namePattern.MatchString(n) || strings.Contains(n, "..") {
			return fault.New(fault.Invalid, "invalid name %q: use at most 63 letters, digits, dots, dashes and underscores", n)
		}
	}
	return nil
}

func (o ReleaseRequest) validate() error {
	if err := ValidateNames(o.Service, o.Environment); err != nil {
		return err
	}
	if !o.Release.Valid() {
		return fault.New(fault.Invalid, "invalid release ID %q", o.Release)
	}
	if o.Port < 0 || o.Port > 65535 {
		return fault.New(fault.Invalid, "invalid port %d: must be 0 to 65535", o.Port)
	}
	return nil
}

func (o ReleaseRequest) String() string {
	return fmt.Sprintf("%s in %s", o.Release, EnvironmentKey(o.Service, o.Environment))
}
