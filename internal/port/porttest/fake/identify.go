package fake

import (
	"context"
	"fmt"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

var _ port.Identifier = (*Target)(nil)

// WithoutProof is a target that can't prove which release responds.
type WithoutProof struct {
	port.Target
	port.TrafficReporter
}

// Identify proves which release the address leads to, unless Unproven returns an error.
func (t *Target) Identify(_ context.Context, o port.DeployRequest, url string) (port.Proof, error) {
	leave, err := t.enter("Identify", o.ID)
	defer leave()
	if err != nil {
		return port.Proof{}, err
	}
	if t.Unproven != nil {
		if err := t.Unproven(o.ID); err != nil {
			return port.Proof{}, err
		}
	}
	s := t.scene(o.Environment)
	behind := delivery.ReleaseID("")
	if _, runs := s.running[o.ID]; runs && s.serving != o.ID && url == staged(o.Environment, o.ID) {
		behind = o.ID
	} else if url == StableURL(o.Environment) {
		behind = s.serving
	}
	if behind != o.ID {
		return port.Proof{}, fault.New(fault.Failed, "%s leads to %q, not to %s", url, behind, o.ID)
	}
	return port.Proof{Method: port.ProofBySocket, Detail: "1 replica", State: fmt.Sprint(behind, t.changes)}, nil
}
