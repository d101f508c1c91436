package app

import (
	"context"
	"slices"
	"strings"

	"github.com/slipway-cd/slipway/internal/config"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/extension"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/plan"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/step"
)

// Problem is something that would make the planned run fail, and what to do about it.
type Problem struct {
	Kind fault.Kind `json:"kind"`
	Text string     `json:"text"`
	Hint string     `json:"hint,omitempty"`
}

// problems collects what a plan knows to be wrong, each thing once.
type problems []Problem

func (p *problems) add(err error) {
	if err == nil {
		return
	}
	found := Problem{Kind: fault.KindOf(err), Text: err.Error(), Hint: fault.HintOf(err)}
	if !slices.Contains(*p, found) {
		*p = append(*p, found)
	}
}

// isKnowable reports whether an error is about the project and what it asks for: a
// plan lists it. Others end the command.
func isKnowable(err error) bool {
	return fault.Is(err, fault.Invalid) || fault.Is(err, fault.NotFound) || fault.Is(err, fault.Conflict) || fault.Is(err, fault.Denied)
}

// planned makes the plan, and finds all that would make its run fail. The error is the
// only one that was found, where there is no plan.
func (s *session) planned(ctx context.Context, ask RunOptions) (PlanView, error) {
	var found problems
	commit, err := s.deps.Source.Head(ctx, ask.AllowDirty)
	if fault.Is(err, fault.Conflict) && !ask.AllowDirty {
		if dirty, dirtyErr := s.deps.Source.Head(ctx, true); dirtyErr == nil {
			found.add(err)
			commit, err = dirty, nil
		}
	}
	if err != nil {
		return PlanView{}, err
	}
	p, planErr := s.makePlan(ctx, s.app.trigger(ask, commit), commit)
	if planErr != nil && !isKnowable(planErr) {
		return PlanView{}, planErr
	}
	found.add(planErr)
	if planErr == nil || len(s.facts.Files) > 0 {
		if err := s.findProblems(ctx, p, &found); err != nil {
			return PlanView{}, err
		}
	}
	if planErr != nil && len(found) == 1 {
		return PlanView{}, planErr
	}
	v := PlanView{Plan: p, Problems: found, Drift: s.facts.Drift}
	if s.isOnMachine(p.Environment) {
		v.Notes = append(v.Notes, machineOnly(p.Environment))
	}
	if c := s.facts.Changed; c != nil && planErr == nil {
		v.Changed = &ChangedFiles{Since: c.Since, Paths: c.Paths}
	}
	return v, nil
}

// findProblems looks at what the steps of a plan need. Without a plan it looks at
// what every delivery needs.
func (s *session) findProblems(ctx context.Context, p plan.Plan, found *problems) error {
	if p.Skip != "" {
		return nil
	}
	if len(s.facts.Files) > 0 {
		s.checkFiles(p, found)
	}
	s.checkVariables(p, found)
	for _, spec := range p.Steps {
		if err := s.unavailable[spec.Kind]; err != nil && spec.Action == step.ActionRun {
			found.add(err)
		}
	}
	return s.checkQuarantine(ctx, p, found)
}

// checkFiles looks for the files that the configuration names.
func (s *session) checkFiles(p plan.Plan, found *problems) {
	project := s.project
	if p.Environment != "" {
		project = project.In(p.Environment)
	}
	c := fileCheck{repository: s.workspace.Repository, files: s.facts.Files, found: found}
	runs := func(name string) bool {
		i := slices.IndexFunc(p.Steps, func(spec step.Spec) bool { return spec.Name == name })
		return len(p.Steps) == 0 || i >= 0 && p.Steps[i].Action == step.ActionRun
	}
	if b := project.Image.Build.Params; b.Dockerfile != "" && runs("build") {
		c.file("image.build.dockerfile", b.Dockerfile)
		c.folder("image.build.context", b.Context)
	}
	for _, t := range project.Test {
		if runs("test." + t.Name) {
			c.command("test "+t.Name, t.Dir, t.Run)
		}
	}
	if m := project.Model; m != nil && m.Train != nil && runs("train") {
		c.command("model.train.run", m.Train.Dir, m.Train.Run)
	}
	if m := project.Model; m != nil && m.Evaluate != nil && runs("evaluate") {
		c.command("model.evaluate.run", m.Evaluate.Dir, m.Evaluate.Run)
	}
	if runs("deploy") && project.Environments[p.Environment].Target.Abilities.Manifests {
		for _, name := range project.Deploy.Manifests {
			c.either("deploy.manifests", name)
		}
		for _, name := range project.Deploy.Values {
			c.file("deploy.values", name)
		}
	}
}

// checkVariables looks for the variables that the steps to run, the notifications and
// the signature need.
func (s *session) checkVariables(p plan.Plan, found *problems) {
	for v := range s.planVariables(p) {
		if v.notification && !s.isReleased(v.value) {
			continue // left out: see subscriber
		}
		if v.runs {
			found.add(s.unset(v.who, v.value))
		}
	}
}

// unset returns the error for a value that refers to a variable without a value.
func (s *session) unset(who, value string) error {
	if !strings.Contains(value, "${") {
		return nil
	}
	if _, err := extension.Expand(value, s.app.getenv); err != nil {
		return fault.New(fault.Invalid, "%s: %s", who, err).Location(config.FileName).
			Hint("set the variable where slipway runs; in a CI, as a secret of the job")
	}
	return nil
}

// checkQuarantine looks whether the run would make a release that is quarantined, as
// far as its image and model, or what they are made from, are known.
func (s *session) checkQuarantine(ctx context.Context, p plan.Plan, found *problems) error {
	for _, spec := range p.Steps {
		if spec.Kind != step.Deploy {
			continue
		}
		params, err := step.ParamsOf[step.DeployParams](spec)
		if err != nil || params.Release != "" { // a recorded one was checked by the plan
			return err
		}
		q, err := s.expectedQuarantine(ctx, p, params)
		if err != nil || q == nil {
			return err
		}
		if q.Release, err = s.quarantinedRelease(ctx, *q); err != nil {
			return err
		}
		found.add(fault.New(fault.Conflict, "the run would make again what is quarantined as %s: %s", q.Subject(), q.Summary()).
			Hint("fix the cause in another commit, or allow it with `slipway releases unquarantine RELEASE --why REASON`; `slipway releases` lists what is held"))
	}
	return nil
}

// quarantinedRelease returns the release that the quarantine is known for. What would be
// made has its name only once it is made: it is held because it is made from the same.
func (s *session) quarantinedRelease(ctx context.Context, q delivery.Quarantine) (delivery.ReleaseID, error) {
	if _, err := s.deps.Releases.Get(ctx, q.Release.Base()); !fault.Is(err, fault.NotFound) {
		return q.Release, err
	}
	for r, err := range port.AllReleases(ctx, s.deps.Releases, port.ReleaseFilter{Quarantined: true}) {
		if err != nil {
			return q.Release, err
		}
		if held := r.Quarantined; held != nil && held.Run == q.Run && held.Since.Equal(q.Since) {
			return r.ID, nil
		}
	}
	return q.Release, nil
}

// expectedQuarantine returns what holds the release that the plan would make, as it is
// or as its environment overrides it; nil: nothing that is known.
func (s *session) expectedQuarantine(ctx context.Context, p plan.Plan, params step.DeployParams) (*delivery.Quarantine, error) {
	rel := s.expectedRelease(p, params)
	model, ok, err := s.trainedModel(ctx, p)
	if err != nil {
		return nil, err
	}
	if ok {
		rel.Model = &model
	}
	base := params.ReleaseWorkload()
	for _, c := range []struct {
		workload      delivery.Workload
		configuration delivery.Digest
	}{{base, params.BaseDigest}, {params.Overrides.Apply(base), params.ConfigurationDigest}} {
		rel.Workload, rel.Manifests = c.workload, c.workload.Digest()
		inputs := delivery.Inputs{Build: buildInputs(p), Configuration: c.configuration}
		if q, err := s.deps.Releases.FindQuarantine(ctx, rel, inputs); q != nil || err != nil {
			return q, err
		}
	}
	return nil, nil //nolint:nilnil // nothing holds it
}

// buildInputs is the digest of what the image is built from, or "".
func buildInputs(p plan.Plan) delivery.Digest {
	for _, spec := range p.Steps {
		if spec.Kind != step.Build {
			continue
		}
		params, err := step.ParamsOf[step.BuildParams](spec)
		if err != nil {
			return "" // not a builder that this version knows
		}
		if digest, err := params.InputsDigest(p.Service, spec.Inputs); err == nil {
			return digest
		}
	}
	return ""
}
