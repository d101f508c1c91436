package step

import (
	"slices"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
)

// AlarmParams are the alarms of an environment.
type AlarmParams struct {
	At        delivery.Location `json:"at,omitzero"`          // of the service that has them, as only its adapter reads it
	Own       []port.Alarm      `json:"own,omitempty"`        // made before a deployment
	Named     []string          `json:"named,omitempty"`      // of others
	Within    delivery.Duration `json:"within,omitempty"`     // how long they may have no data
	NoTraffic NoTrafficPolicy   `json:"no_traffic,omitempty"` // what no data means then; default accept
	Synthetic *SyntheticParams  `json:"synthetic,omitempty"`  // nil: others publish the metrics
}

// Names are those of all alarms, in the order of the file.
func (p AlarmParams) Names() []string {
	var names []string
	for _, a := range p.Own {
		names = append(names, a.Name)
	}
	return slices.Concat(names, p.Named)
}

// SyntheticParams are the requests that Slipway sends, and publishes metrics of, while a
// release bakes.
type SyntheticParams struct {
	Path       string            `json:"path"`
	Dimensions map[string]string `json:"dimensions"`
}

// The metrics of Slipway's own probes.
const (
	ProbeLatency  = "ProbeLatency" // in milliseconds, of the responses
	ProbeRequests = "ProbeRequests"
	ProbeErrors   = "ProbeErrors" // 5xx, and requests without a response
)

// Monitors find the monitoring service of a place.
type Monitors func(at delivery.Location) (port.Alarms, port.Meter, error)
