package app

import (
	"context"
	"fmt"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/step/trust"
)

// Provenance is the provenance of a release, check by check. It is valid if Verdict is
// passed; checks that no policy requires may have failed nevertheless.
type Provenance struct {
	Release     delivery.ReleaseID   `json:"release"`
	Environment delivery.Environment `json:"environment,omitempty"` // whose policy was applied; empty: the union of all
	Commit      string               `json:"commit"`
	Image       delivery.Image       `json:"image"`
	Model       *delivery.ModelRef   `json:"model"`
	Verdict     delivery.Verdict     `json:"verdict"`
	Checks      []trust.Check        `json:"links"`
}

// Provenance checks who signed a release and what the signed statements contain,
// against the policy of the environment, or of all with an empty name.
func (a *App) Provenance(ctx context.Context, id delivery.ReleaseID, env delivery.Environment) (out Provenance, err error) {
	err = a.withSession(ctx, func(s *session) error {
		out, err = s.provenance(ctx, id, env)
		return err
	})
	return out, err
}

func (s *session) provenance(ctx context.Context, id delivery.ReleaseID, env delivery.Environment) (Provenance, error) {
	policy, err := s.trustPolicy(env)
	if err != nil {
		return Provenance{}, err
	}
	if env != "" {
		if err := s.syncHistory(ctx, env); err != nil {
			return Provenance{}, err
		}
	}
	saved, err := s.release(ctx, id)
	if err != nil {
		return Provenance{}, err
	}
	rel := saved.Release
	out := Provenance{Release: saved.ID, Environment: env, Commit: saved.Origin.Commit, Image: rel.Image, Model: rel.Model, Verdict: delivery.Passed}
	out.Checks = append(out.Checks, trust.Check{
		Name: "release: record", Verdict: delivery.Passed, Required: true, Text: "intact: its content matches the digest in its name",
		Details: []string{"digest " + string(saved.Digest), "commit " + saved.Origin.Commit},
	})
	links, err := s.deps.Trust.Explain(ctx, saved, policy)
	if err != nil {
		return out, err
	}
	out.Checks = append(out.Checks, links...)
	approvals, err := s.approvalChecks(ctx, saved)
	if err != nil {
		return out, err
	}
	out.Checks = append(out.Checks, approvals...)
	for _, l := range out.Checks {
		if l.Required && l.Verdict != delivery.Passed && out.Verdict != delivery.Failed {
			out.Verdict = l.Verdict
		}
	}
	return out, nil
}

// approvalChecks names the people, or the gates on their behalf, that approved it.
func (s *session) approvalChecks(ctx context.Context, rel delivery.ReleaseRecord) ([]trust.Check, error) {
	var out []trust.Check
	if ref := rel.Release.Model; ref != nil {
		l, err := s.modelApprovalCheck(ctx, *ref)
		if err != nil {
			return nil, err
		}
		out = append(out, l)
	}
	for d, err := range port.AllDeployments(ctx, s.deps.Deployments, port.DeploymentFilter{Release: rel.ID}) {
		if err != nil {
			return nil, err
		}
		out = append(out, trust.Check{
			Name: "deployment: " + string(d.Environment), Verdict: delivery.Passed,
			Text: fmt.Sprintf("deployed by %s at %s (%s): %s", d.By, d.StartedAt.UTC().Format(time.RFC3339), d.Reason, d.State),
		})
	}
	return out, nil
}

func (s *session) modelApprovalCheck(ctx context.Context, ref delivery.ModelRef) (trust.Check, error) {
	l := trust.Check{Name: "model: approval", Verdict: delivery.Failed, Required: true}
	m, err := s.deps.Models.Get(ctx, ref.Group, ref.Version)
	switch {
	case fault.Is(err, fault.NotFound):
		l.Text, l.Verdict = fmt.Sprintf("model %s is not in the local records", ref), delivery.Unavailable
	case err != nil:
		return l, err
	case m.Digest != ref.Digest:
		l.Text = fmt.Sprintf("model %s is registered as %s, but the release pins %s", ref, m.Digest.Short(), ref.Digest.Short())
	case m.Status != delivery.Approved:
		l.Text = fmt.Sprintf("model %s is %s", ref, m.Status)
	default:
		l.Verdict, l.Text = delivery.Passed, fmt.Sprintf("model %s approved by %s", ref, m.DecidedBy)
		if m.Why != "" {
			l.Text += ": " + m.Why
		}
	}
	return l, nil
}
