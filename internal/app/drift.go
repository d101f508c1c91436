package app

import (
	"context"
	"fmt"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/plan"
	"github.com/slipway-cd/slipway/internal/port"
)

// Drift is one difference between what is live and what was recorded.
type Drift = port.Drift

// drift returns how what is live differs from the accepted deployment; none where the
// target cannot compare.
func (s *session) drift(ctx context.Context, target port.Target, d delivery.Deployment, rel delivery.Release) ([]port.Drift, error) {
	reporter, ok := target.(port.DriftReporter)
	if !ok {
		return nil, nil
	}
	found, err := reporter.Drift(ctx, port.DeployRequest{
		Service: s.project.Service, Environment: d.Environment, ID: d.Instance(), Release: rel.WithConfiguration(d.Config),
	})
	for i := range found { // a variable that a person has set may hold a secret
		found[i].Live, found[i].Recorded = s.redactor.Text(found[i].Live), s.redactor.Text(found[i].Recorded)
	}
	if err != nil {
		return found, fmt.Errorf("compare %s with its record: %w", d.Environment, err)
	}
	return found, nil
}

// fillDrift adds to a status how what is live differs from the record, unless another
// release is on its way in.
func (s *session) fillDrift(ctx context.Context, st *Status, target port.Target) error {
	d, ok, err := s.deps.Deployments.Current(ctx, st.Environment)
	if err != nil || !ok || st.InProgress != nil || d.Unsigned {
		return err
	}
	saved, err := s.deps.Releases.Get(ctx, d.Release)
	if err != nil {
		return err
	}
	if st.Drift, err = s.drift(ctx, target, d, saved.Release); err != nil {
		st.Notes = append(st.Notes, err.Error())
	}
	return nil
}

// findDrift looks up how what is live differs from what was deployed.
func (s *session) findDrift(ctx context.Context, f *plan.Facts, env delivery.Environment) error {
	if f.Serving == nil || f.Serving.Unsigned || f.ServingRelease.Unsigned {
		return nil
	}
	target, err := s.target(env)
	if err != nil {
		return err
	}
	if f.Drift, err = s.drift(ctx, target, *f.Serving, f.ServingRelease.Release); err != nil {
		s.notice(env, err.Error()) // what prevents a deployment, its own steps report
	}
	return nil
}
