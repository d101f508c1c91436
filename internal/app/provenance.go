package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/plan"
	"github.com/slipway-cd/slipway/internal/step"
	"github.com/slipway-cd/slipway/internal/step/trust"
)

// maxTrustFile is the largest key or root of trust that is read.
const maxTrustFile = 1 << 20

// Provenance is a release's chain, link by link. It holds when Verdict is
// passed; links that no policy demands may fail all the same.
type Provenance struct {
	Release     delivery.ReleaseID   `json:"release"`
	Environment delivery.Environment `json:"environment,omitempty"` // whose policy it was held against; empty: all of them together
	Commit      string               `json:"commit"`
	Image       delivery.Image       `json:"image"`
	Model       *delivery.ModelRef   `json:"model"`
	Verdict     delivery.Verdict     `json:"verdict"`
	Checks      []trust.Check        `json:"links"`
}

// Provenance checks who signed a release and what the signed statements say of
// it, against the policy of the environment, or of all with an empty name.
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
	out := Provenance{Release: id, Environment: env, Commit: rel.Commit, Image: rel.Image, Model: rel.Model, Verdict: delivery.Passed}
	out.Checks = append(out.Checks, trust.Check{
		Name: "release: record", Verdict: delivery.Passed, Required: true, Text: "intact: its content matches the digest in its name",
		Details: []string{"digest " + string(saved.Digest), "commit " + rel.Commit},
	})
	links, err := s.deps.Trust.Explain(ctx, rel, policy)
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

// trustPolicy is that of the environment. Without one it is whom any environment
// trusts, and signature and provenance are demanded: to look at a release says
// nothing of where it may serve.
func (s *session) trustPolicy(env delivery.Environment) (step.TrustParams, error) {
	if env != "" {
		if _, err := s.project.Environment(env); err != nil {
			return step.TrustParams{}, err
		}
		return s.environmentTrustPolicy(env)
	}
	all := step.TrustParams{Require: []string{step.RequireSignature, step.RequireProvenance}}
	for _, name := range s.project.EnvironmentNames() {
		if s.project.Environments[delivery.Environment(name)].Trust == nil {
			continue
		}
		p, err := s.environmentTrustPolicy(delivery.Environment(name))
		if err != nil {
			return all, err
		}
		if all.Root != "" && p.Root != "" && all.Root != p.Root {
			return all, fault.New(fault.Invalid, "the environments use different roots of trust").Hint("choose one environment with --env")
		}
		all.Root = all.Root + strings.TrimPrefix(p.Root, all.Root)
		for _, k := range p.Keys {
			if !slices.Contains(all.Keys, k) {
				all.Keys = append(all.Keys, k)
			}
		}
		for _, id := range p.Identities {
			if !slices.Contains(all.Identities, id) {
				all.Identities = append(all.Identities, id)
			}
		}
	}
	if len(all.Keys)+len(all.Identities) == 0 {
		return all, fault.New(fault.Invalid, "no environment has a trust policy").
			Hint("add trust: {keys: [cosign.pub]} to an environment in %s", File)
	}
	return all, nil
}

func (s *session) environmentTrustPolicy(env delivery.Environment) (step.TrustParams, error) {
	e := s.project.Environments[env]
	files, err := s.trustFiles(plan.TrustFiles(e))
	if err != nil {
		return step.TrustParams{}, err
	}
	p := plan.TrustPolicy(e, files)
	if p == nil {
		return step.TrustParams{}, fault.New(fault.Invalid, "environment %s has no trust policy", env).
			Hint("add trust: {keys: [cosign.pub]} to it in %s", File)
	}
	return *p, nil
}

// findTrustFiles reads the files of the environment's trust policy.
func (s *session) findTrustFiles(_ context.Context, f *plan.Facts, env delivery.Environment) (err error) {
	f.TrustFiles, err = s.trustFiles(plan.TrustFiles(s.project.Environments[env]))
	return err
}

// trustFiles reads files beside slipway.yaml. A link out of it is not followed:
// whom to trust is what the repository says.
func (s *session) trustFiles(names []string) (map[string]string, error) {
	if len(names) == 0 {
		return nil, nil
	}
	root, err := os.OpenRoot(s.workspace.Repository)
	if err != nil {
		return nil, fmt.Errorf("open the repository: %w", err)
	}
	defer root.Close()
	out := map[string]string{}
	for _, name := range names {
		f, err := root.Open(filepath.FromSlash(name))
		var text []byte
		if err == nil {
			text, err = io.ReadAll(io.LimitReader(f, maxTrustFile))
			err = errors.Join(err, f.Close())
		}
		if err != nil {
			kind := fault.Invalid
			if errors.Is(err, fs.ErrNotExist) {
				kind = fault.NotFound
			}
			return nil, fault.New(kind, "read %s of the trust policy", name).Location(File).Cause(err).
				Hint("paths are relative to the folder that contains %s; `slipway keys generate` and `cosign public-key` write public keys", File)
		}
		out[name] = string(text)
	}
	return out, nil
}

// approvalChecks are the people, or the gates in their name, that let it through.
func (s *session) approvalChecks(ctx context.Context, rel delivery.ReleaseRecord) ([]trust.Check, error) {
	var out []trust.Check
	if ref := rel.Release.Model; ref != nil {
		l, err := s.modelApprovalCheck(ctx, *ref)
		if err != nil {
			return nil, err
		}
		out = append(out, l)
	}
	history, err := s.deps.Deployments.List(ctx, "", 0)
	if err != nil {
		return nil, err
	}
	for _, d := range history {
		if d.Release == rel.ID {
			out = append(out, trust.Check{
				Name: "deployment: " + string(d.Environment), Verdict: delivery.Passed,
				Text: fmt.Sprintf("deployed by %s at %s (%s): %s", d.By, d.StartedAt.UTC().Format(time.RFC3339), d.Reason, d.State),
			})
		}
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
