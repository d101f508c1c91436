//go:build linux

// Package supervisor keeps releases running on this machine: it starts their
// replicas as containers, restarts them, switches traffic between releases, and
// restores them after a restart. The local target calls it over a Unix socket.
package supervisor

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"regexp"
	"strings"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// Protocol is the version of the socket protocol. It is incremented for
// incompatible changes.
const Protocol = 1

// The paths of the calls. Hello and Stop have the same form in every protocol
// version.
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
	CallProve   = "/prove" // 404 from supervisors of earlier versions, as is CallDrift
	CallDrift   = "/drift"
)

// HelloResponse describes a supervisor.
type HelloResponse struct {
	Protocol int    `json:"protocol"`
	PID      int    `json:"pid"`
	Runtime  string `json:"runtime"`
	Moved    bool   `json:"moved,omitempty"`    // its folder is not where it was any more
	Revision int    `json:"revision,omitempty"` // of what it can do, see ReleaseRequest.Revision
}

// Revision is incremented for what an older supervisor would ignore.
const Revision = 1

// UpRequest starts the promoted releases that could not be restored.
type UpRequest struct {
	Secrets map[string]string `json:"secrets,omitempty"` // see ReleaseRequest
}

// StopRequest stops the supervisor.
type StopRequest struct {
	OnlyIdle bool `json:"only_idle,omitempty"` // only if no release is deployed
}

// ReleaseRequest is a release in an environment with everything needed to run it.
type ReleaseRequest struct {
	Service      string               `json:"service"`
	Environment  delivery.Environment `json:"environment"`
	Release      delivery.ReleaseID   `json:"release"`
	Port         int                  `json:"port"`             // 0: chosen once and kept
	ReadyTimeout delivery.Duration    `json:"within,omitempty"` // to become ready; 0: Config.StartTimeout
	Spec         Spec                 `json:"spec"`

	// Secrets are the values of ${NAME} in the workload's variables. They are kept in
	// memory only.
	Secrets map[string]string `json:"secrets,omitempty"`
}

// Revision returns the revision that a supervisor needs to run the release.
func (o ReleaseRequest) Revision() int {
	if o.Spec.fixedPort() != 0 || o.Spec.Workload.Writable || len(o.Secrets) > 0 {
		return 1
	}
	return 0
}

// Spec describes how to run a release.
type Spec struct {
	Rootfs       string            `json:"rootfs"`          // absolute folder
	Model        string            `json:"model,omitempty"` // absolute folder
	ModelVersion string            `json:"model_version,omitempty"`
	Image        port.ImageConfig  `json:"image"`
	Workload     delivery.Workload `json:"workload"`
	Proxies      []netip.Prefix    `json:"trusted_proxies,omitempty"` // that report who their clients are
	Unknown      delivery.Unknown  `json:"-"`
}

// fixedPort returns the port that the service listens on whatever PORT says, as the
// release or its image has it; 0: it listens on PORT.
func (s Spec) fixedPort() int {
	switch {
	case s.Workload.Port != 0:
		return max(s.Workload.Port, 0) // delivery.AnyPort
	case len(s.Image.Ports) == 1:
		return s.Image.Ports[0]
	}
	return 0
}

// TrafficRequest requests the traffic of a release.
type TrafficRequest struct {
	Service     string               `json:"service"`
	Environment delivery.Environment `json:"environment"`
	Release     delivery.ReleaseID   `json:"release"`
	Since       time.Time            `json:"since"`
}

// ProofRequest requests the proof that an address leads to a release.
type ProofRequest struct {
	Service     string               `json:"service"`
	Environment delivery.Environment `json:"environment"`
	Release     delivery.ReleaseID   `json:"release"`
	URL         string               `json:"url"`
}

// Message is one line of a response: progress, then the value or the error.
type Message struct {
	Progress string          `json:"say,omitempty"`
	Value    json.RawMessage `json:"value,omitempty"`
	Error    *RemoteError    `json:"fault,omitempty"`
}

// RemoteError is an error that is sent to the client.
type RemoteError struct {
	Kind fault.Kind `json:"kind"`
	Text string     `json:"what"`
	Hint string     `json:"hint,omitempty"`
}

// NewRemoteError converts err.
func NewRemoteError(err error) *RemoteError {
	return &RemoteError{Kind: fault.KindOf(err), Text: err.Error(), Hint: fault.HintOf(err)}
}

// Err converts it back to an error.
func (f *RemoteError) Err() error {
	return fault.New(f.Kind, "%s", f.Text).Hint("%s", f.Hint)
}

// EnvironmentKey returns the key of an environment in the state.
func EnvironmentKey(service string, env delivery.Environment) string {
	return service + "/" + string(env)
}

// Names are used as folder names.
var namePattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$`)

// ValidateNames rejects names that cannot be folder names.
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
