package local

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/slipway-cd/slipway/internal/adapter/local/supervisor"
	"github.com/slipway-cd/slipway/internal/port"
)

// Drift lets the supervisor compare the folders and the number of the replicas. One that
// does not run has nothing to compare, and that is an outage.
func (t *Target) Drift(ctx context.Context, o port.DeployRequest) ([]port.Drift, error) {
	saved, err := t.savedState(o.Service, o.Environment)
	if err != nil || saved.Promoted == nil {
		return nil, err
	}
	wire := releaseRequest(o)
	wire.Spec.Workload = o.Release.Workload
	var found []port.Drift
	err = t.send(ctx, supervisor.CallDrift, wire, &found, orDiscard(nil))
	if errors.Is(err, errUnavailable) || errors.Is(err, errUnknownCall) { // of an older Slipway
		return nil, nil
	}
	return found, err
}

// changedExtension is that of a model's folder that was changed: replicas have it until
// they are replaced.
const changedExtension = "changed"

// setChangedModelAside makes room for the model of a release if a file of it was changed
// in its folder.
func (t *Target) setChangedModelAside(ctx context.Context, o port.DeployRequest) error {
	found, err := t.Drift(ctx, o)
	if err != nil {
		return err
	}
	for _, d := range found {
		if d.Kind != supervisor.ModelFolder || d.Field == "" {
			continue
		}
		aside := d.Name + "." + changedExtension
		if err := errors.Join(os.RemoveAll(aside), os.Rename(d.Name, aside)); err != nil {
			return fmt.Errorf("set a changed model aside: %w", err)
		}
		return nil
	}
	return nil
}
