package app

import (
	"context"
	"fmt"
	"strings"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/plan"
	"github.com/slipway-cd/slipway/internal/record"
)

// What happens where a model is deployed that is rejected after it was approved.
const (
	KeepServing     = "keep"     // nothing
	RollBackServing = "rollback" // these environments are rolled back, to a release with another model
)

// checkServing refuses a --serving that does not fit the decision.
func checkServing(d Decision, isModel bool) error {
	switch {
	case d.Serving == "":
	case d.Serving != KeepServing && d.Serving != RollBackServing:
		return fault.New(fault.Invalid, "invalid value %q of --serving", d.Serving).Hint("use %s or %s", KeepServing, RollBackServing)
	case !isModel:
		return fault.New(fault.Invalid, "--serving is about a model, not about run %s", d.Subject).Hint("name the model as GROUP:VERSION")
	case d.Serving == RollBackServing && d.NoWait:
		return fault.New(fault.Invalid, "--serving %s and --no-wait cannot be combined", d.Serving)
	}
	return nil
}

// planRevocation plans the rollbacks of the environments where the model is deployed,
// if the decision says so. A decision that takes an approval back has to say what
// happens there.
func (s *session) planRevocation(ctx context.Context, d Decision, m delivery.ModelVersion) ([]plan.Plan, error) {
	if d.Approve || m.Status == delivery.PendingApproval {
		return nil, nil
	}
	deployed, err := s.deploymentsOf(ctx, m.ModelRef)
	if err != nil || len(deployed) == 0 || d.Serving == KeepServing {
		return nil, err
	}
	if d.Serving == "" {
		if m.Status != delivery.Approved {
			return nil, nil
		}
		var places []string
		for _, o := range deployed {
			places = append(places, fmt.Sprintf("%s (%s)", o.Environment, o.Release))
		}
		return nil, fault.New(fault.Conflict, "model %s is deployed in %s", m, strings.Join(places, ", ")).
			Hint("add --serving %s to roll back there as well, or --serving %s to leave it deployed", RollBackServing, KeepServing)
	}
	ref := m.ModelRef
	s.revoking = &ref
	defer func() { s.revoking = nil }()
	var plans []plan.Plan
	for _, o := range deployed {
		p, err := s.planRollback(ctx, o.Environment, "", fmt.Sprintf("model %s was rejected by %s: %s", m, d.actor, d.Why))
		if err != nil {
			return nil, fmt.Errorf("plan the rollback of %s: %w", o.Environment, err)
		}
		plans = append(plans, p)
	}
	return plans, nil
}

// deploymentsOf lists the current deployments of releases with the model, by
// environment.
func (s *session) deploymentsOf(ctx context.Context, ref delivery.ModelRef) (found []delivery.Deployment, err error) {
	for _, name := range s.project.EnvironmentNames() {
		env := delivery.Environment(name)
		_ = s.syncHistory(ctx, env) // what is recorded here counts where the target can't be reached
		d, ok, err := s.deps.Deployments.Current(ctx, env)
		if err != nil {
			return nil, err
		}
		if !ok {
			continue
		}
		r, err := s.deps.Releases.Get(ctx, d.Release)
		if err != nil {
			return nil, err
		}
		if r.Release.Model != nil && r.Release.Model.Digest == ref.Digest {
			found = append(found, d)
		}
	}
	return found, nil
}

// rollBackRevoked rolls back where a revoked model was deployed, one environment after
// the other. One that fails does not keep the others.
func (s *session) rollBackRevoked(ctx context.Context, plans []plan.Plan, out *DecisionResult) error {
	for _, p := range plans {
		rep, err := s.execute(ctx, func() (record.Run, error) { return s.engine.Run(ctx, p) })
		if err != nil {
			return err
		}
		out.Rollbacks = append(out.Rollbacks, rep)
	}
	return nil
}

// isRevoked reports whether the model of a release was rejected, or is about to be. A
// model that is not known here was not.
func (s *session) isRevoked(ctx context.Context, ref *delivery.ModelRef) (bool, error) {
	if ref == nil {
		return false, nil
	}
	if s.revoking != nil && s.revoking.Digest == ref.Digest {
		return true, nil
	}
	m, err := s.deps.Models.Get(ctx, ref.Group, ref.Version)
	if fault.Is(err, fault.NotFound) {
		return false, nil
	}
	return err == nil && m.Digest == ref.Digest && m.Status == delivery.Rejected, err
}

// checkNotRevoked refuses a release that a person names if its model was rejected.
func (s *session) checkNotRevoked(ctx context.Context, r delivery.ReleaseRecord) error {
	revoked, err := s.isRevoked(ctx, r.Release.Model)
	if err != nil || !revoked {
		return err
	}
	return fault.New(fault.Denied, "release %s has model %s, which was rejected", r.ID, r.Release.Model).
		Hint("choose another release, or approve the model again: slipway approve %s --why REASON", r.Release.Model)
}
