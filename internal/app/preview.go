package app

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/plan"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/scratch"
	"github.com/slipway-cd/slipway/internal/step"
)

// Placeholders for what does not exist before the run, and how they are displayed.
const (
	placeholderDigest  = delivery.Digest("sha256:0000000000000000000000000000000000000000000000000000000000000000")
	placeholderRelease = delivery.ReleaseID("r-000000000000")
)

// previewRequest returns what the plan would ask its target for, as far as that is known
// before anything is built; ok is false if it deploys nothing, or its target renders no
// objects.
func (s *session) previewRequest(ctx context.Context, p plan.Plan) (o port.DeployRequest, target port.Target, ok bool, err error) {
	for _, spec := range p.Steps {
		if spec.Kind != step.Deploy {
			continue
		}
		w, err := step.ParamsOf[step.DeployParams](spec)
		if err != nil {
			return o, nil, false, err
		}
		if target, err = port.Targets(s.deps.Targets).Find(w.Target, w.Location); err != nil {
			return o, nil, false, err
		}
		renderer, renders := target.(port.Renderer)
		if !renders {
			return o, nil, false, nil
		}
		o = port.DeployRequest{Service: p.Service, Environment: p.Environment, ID: placeholderRelease, Strategy: w.Strategy}
		if p.Repairs != "" {
			d := s.facts.Serving
			o.ID, o.Release = d.Instance(), s.facts.ServingRelease.Release.WithConfiguration(d.Config)
			return o, target, true, nil
		}
		err = s.fillRequest(ctx, p, w, renderer, &o)
		return o, target, err == nil, err
	}
	return o, nil, false, nil
}

// previewDeploy adds what the plan's release would replace and change in its target, as far as
// the target can tell.
func (s *session) previewDeploy(ctx context.Context, v *PlanView) error {
	o, target, ok, err := s.previewRequest(ctx, v.Plan)
	if err != nil || !ok {
		return err
	}
	if v.Existing, err = s.findExisting(ctx, target, o); err != nil {
		if !isKnowable(err) {
			return err
		}
		v.Problems = append(v.Problems, Problem{Kind: fault.KindOf(err), Text: err.Error(), Hint: fault.HintOf(err)})
		return nil
	}
	differ, can := target.(port.Differ)
	if !can {
		return nil
	}
	v.Changes, err = differ.Diff(ctx, o)
	for i := range v.Changes {
		v.Changes[i].Diff = replacePlaceholders(v.Changes[i].Diff)
	}
	return err
}

func replacePlaceholders(diff string) string {
	return strings.NewReplacer(string(placeholderDigest), "(made by this run)", string(placeholderRelease), "(this release)").Replace(diff)
}

// fillRequest fills in the request from the recorded release, or from the plan if the
// release does not exist yet, as the environment overrides it.
func (s *session) fillRequest(ctx context.Context, p plan.Plan, w step.DeployParams, renderer port.Renderer, o *port.DeployRequest) error {
	rel := s.expectedRelease(p, w)
	if w.Release != "" {
		saved, err := s.deps.Releases.Get(ctx, w.Release)
		if err != nil {
			return err
		}
		if rel = saved.Release; w.Overrides.IsZero() {
			o.ID, o.Release = saved.ID, rel
			return nil
		}
	}
	rel.Workload = w.Overrides.Apply(rel.Workload)
	out, err := s.renderPreview(ctx, p, rel, w.With(w.Overrides), renderer)
	if err != nil {
		return err
	}
	rel.Objects, rel.Manifests = out.Objects, out.Digest()
	o.Secrets, o.Release = out.Secrets, rel
	return nil
}

// expectedRelease is the release that the plan would make, without its objects.
func (s *session) expectedRelease(p plan.Plan, w step.DeployParams) delivery.Release {
	rel := delivery.Release{
		Schema: delivery.ReleaseForm, Service: p.Service, Model: w.Model, Workload: w.Workload,
		Image: delivery.Image{Repository: s.project.Image.Repository, Digest: s.builtDigest(p)},
	}
	if rel.Model == nil && s.project.Model != nil {
		rel.Model = &delivery.ModelRef{Group: s.project.Model.Group, Version: 1, Digest: placeholderDigest}
	}
	return rel
}

// renderPreview renders the objects of a release from the manifests in the commit.
func (s *session) renderPreview(ctx context.Context, p plan.Plan, rel delivery.Release, from step.ManifestParams, renderer port.Renderer) (port.Rendered, error) {
	m := port.Manifests{
		Service: p.Service, Paths: from.Manifests, Values: from.Values, Workload: rel.Workload, Model: rel.Model, Delivery: from.ModelDelivery, Image: rel.Image,
	}
	if m.Model != nil && from.ModelDelivery != delivery.DeliverByEnv {
		m.ModelImage = delivery.Image{Repository: m.Image.Repository, Digest: placeholderDigest}
	}
	var err error
	if m.Location, err = s.previewLocation(ctx, m); err != nil {
		return port.Rendered{}, err
	}
	if len(from.Manifests) == 0 {
		return renderer.Render(ctx, m)
	}
	tmp, err := scratch.New("", scratchPrefix, s.app.Clock())
	if err != nil {
		return port.Rendered{}, err
	}
	defer func() { _ = tmp.Close() }()
	m.Dir = filepath.Join(tmp.Files(), "src") // a checkout keeps its notes beside it
	if err := os.Mkdir(m.Dir, 0o700); err != nil {
		return port.Rendered{}, fmt.Errorf("create a folder for the manifests: %w", err)
	}
	if err := s.deps.Source.Checkout(ctx, p.Commit.Tree, m.Dir); err != nil {
		return port.Rendered{}, err
	}
	if source, ok := s.deps.Source.(port.FolderSource); ok {
		folder, err := source.Folder(ctx, p.Commit.Tree)
		if err != nil {
			return port.Rendered{}, err
		}
		m.Dir = filepath.Join(m.Dir, folder)
	}
	return renderer.Render(ctx, m)
}

// previewLocation is where a service that loads its model itself will find it, or
// placeholders for a version that is not registered yet.
func (s *session) previewLocation(ctx context.Context, m port.Manifests) (port.ModelLocation, error) {
	if m.Model == nil || m.Model.Digest != placeholderDigest {
		return step.LocateModel(ctx, s.deps.Models, m.Model, m.Delivery)
	}
	if _, ok := s.deps.Models.(port.ModelLocator); !ok || m.Delivery != delivery.DeliverByEnv {
		return port.ModelLocation{}, nil
	}
	return port.ModelLocation{Name: string(placeholderDigest), URL: string(placeholderDigest), Version: string(placeholderDigest)}, nil
}

// builtDigest is the digest of the image that a cached or an earlier build made, or a
// placeholder.
func (s *session) builtDigest(p plan.Plan) delivery.Digest {
	if out, ok := knownOutput[step.BuildOutput](s, p, step.Build); ok && out.Digest.Valid() {
		return out.Digest
	}
	return placeholderDigest
}

// trainedModel is the registered version of the model that a cached training made; ok
// is false if it is not known.
func (s *session) trainedModel(ctx context.Context, p plan.Plan) (ref delivery.ModelRef, ok bool, err error) {
	out, ok := knownOutput[step.TrainOutput](s, p, step.Train)
	if !ok || out.Job == "" || s.project.Model == nil {
		return ref, false, nil
	}
	for v, err := range port.AllModels(ctx, s.deps.Models, port.ModelFilter{Group: s.project.Model.Group}) {
		if err != nil || v.Lineage.Job == out.Job {
			return v.ModelRef, err == nil, err
		}
	}
	return ref, false, nil
}

// knownOutput returns what planning found to be the output of the plan's cached step of
// a kind.
func knownOutput[T any](s *session, p plan.Plan, kind step.Kind) (out T, ok bool) {
	for _, spec := range p.Steps {
		if spec.Kind != kind || spec.Action != step.ActionCached {
			continue
		}
		out, ok, err := step.DecodeOutput[T](s.known, spec.Name)
		return out, ok && err == nil
	}
	return out, false
}
