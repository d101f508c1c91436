package fake

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

type deployments struct{ *Records }

var _ port.DeploymentStore = deployments{}

// Begin records that a release is being deployed.
func (r deployments) Begin(_ context.Context, d delivery.Deployment) (delivery.Deployment, error) {
	leave, err := r.enter("Deployments.Begin")
	defer leave()
	if err != nil {
		return delivery.Deployment{}, err
	}
	for i, known := range r.deployments {
		if known.Run == d.Run && known.Release == d.Release && known.Environment == d.Environment {
			if known.Unsigned && !d.Unsigned {
				known.By, known.Actor, known.Reason, known.Commit, known.Config, known.Inputs = d.By, d.Actor, d.Reason, d.Commit, d.Config, d.Inputs
				known.Unsigned, known.Unknown = false, d.Unknown
				r.deployments[i] = known
			}
			return known, nil
		}
	}
	if current, ok := r.current(d.Environment); ok && d.Replaced == "" {
		d.Replaced = current.Release
	}
	d.ID, d.State = int64(len(r.deployments)+1), delivery.Deploying
	r.deployments = append(r.deployments, d)
	return d, nil
}

// Accept makes it the current one.
func (r deployments) Accept(_ context.Context, id int64, at time.Time) error {
	leave, err := r.enter("Deployments.Accept")
	defer leave()
	if err != nil {
		return err
	}
	d, err := r.find(id)
	if err != nil || d.State == delivery.Serving || d.State == delivery.Replaced {
		return err
	}
	if d.State != delivery.Deploying {
		return fault.New(fault.Conflict, "deployment %d is %s", id, d.State)
	}
	for i := range r.deployments {
		if other := &r.deployments[i]; other.Environment == d.Environment && other.State == delivery.Serving {
			other.State, other.EndedAt = delivery.Replaced, at
		}
	}
	d.State, d.ServingAt = delivery.Serving, at
	return nil
}

// End records how a deployment ended.
func (r deployments) End(_ context.Context, id int64, state delivery.DeploymentState, reason string, at time.Time) error {
	leave, err := r.enter("Deployments.End")
	defer leave()
	if err != nil {
		return err
	}
	switch state {
	case delivery.RolledBack, delivery.Cancelled, delivery.Stuck, delivery.Held, delivery.Removed:
	default:
		return fault.New(fault.Invalid, "end deployment %d as %q", id, state)
	}
	d, err := r.find(id)
	if err != nil {
		return err
	}
	if d.State == delivery.Deploying || d.State == delivery.Serving {
		d.State, d.Reason, d.EndedAt = state, reason, at
	}
	return nil
}

func (r deployments) find(id int64) (*delivery.Deployment, error) {
	if id < 1 || id > int64(len(r.deployments)) {
		return nil, fault.New(fault.NotFound, "deployment %d not found", id)
	}
	return &r.deployments[id-1], nil
}

// Current is the accepted deployment.
func (r deployments) Current(_ context.Context, env delivery.Environment) (delivery.Deployment, bool, error) {
	leave, err := r.enter("Deployments.Current")
	defer leave()
	if err != nil {
		return delivery.Deployment{}, false, err
	}
	d, ok := r.current(env)
	return d, ok, nil
}

func (r deployments) current(env delivery.Environment) (delivery.Deployment, bool) {
	for _, d := range r.deployments {
		if d.Environment == env && d.State == delivery.Serving {
			return d, true
		}
	}
	return delivery.Deployment{}, false
}

// List returns deployments, newest first.
func (r deployments) List(_ context.Context, f port.DeploymentFilter, page port.Page) ([]delivery.Deployment, port.Cursor, error) {
	leave, err := r.enter("Deployments.List")
	defer leave()
	if err != nil {
		return nil, "", err
	}
	var of []delivery.Deployment
	for _, d := range slices.Backward(r.deployments) {
		if selects(f, d) {
			of = append(of, d)
		}
	}
	if f.Accepted {
		slices.SortStableFunc(of, func(a, b delivery.Deployment) int { return b.ServingAt.Compare(a.ServingAt) })
	}
	return pageOf(of, page, func(d delivery.Deployment) string { return fmt.Sprint(d.ID) })
}

func selects(f port.DeploymentFilter, d delivery.Deployment) bool {
	return (f.Environment == "" || d.Environment == f.Environment) && (f.Run == "" || d.Run == f.Run) &&
		(f.Release == "" || d.Release == f.Release) && (!f.Accepted || !d.ServingAt.IsZero())
}
