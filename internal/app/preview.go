package app

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/plan"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/step"
)

// Placeholders for what does not exist before the run, and how they are displayed.
const (
	placeholderDigest  = delivery.Digest("sha256:0000000000000000000000000000000000000000000000000000000000000000")
	placeholderRelease = delivery.ReleaseID("r-000000000000")
)

// preview returns what the plan's release would change in its target, or nothing if the
// target has no preview.
func (s *session) preview(ctx context.Context, p plan.Plan) ([]port.Change, error) {
	for _, spec := range p.Steps {
		if spec.Kind != step.Deploy {
			continue
		}
		w, err := step.ParamsOf[step.DeployParams](spec)
		if err != nil {
			return nil, err
		}
		target, err := port.Targets(s.deps.Targets).Find(w.Target, w.Location)
		if err != nil {
			return nil, err
		}
		differ, can := target.(port.Differ)
		renderer, renders := target.(port.Renderer)
		if !can || !renders {
			return nil, nil
		}
		o := port.DeployRequest{Service: p.Service, Environment: p.Environment, ID: placeholderRelease, Strategy: w.Strategy}
		if err := s.fillRequest(ctx, p, w, renderer, &o); err != nil {
			return nil, err
		}
		changes, err := differ.Diff(ctx, o)
		for i := range changes {
			changes[i].Diff = replacePlaceholders(changes[i].Diff)
		}
		return changes, err
	}
	return nil, nil
}

func replacePlaceholders(diff string) string {
	return strings.NewReplacer(string(placeholderDigest), "(made by this run)", string(placeholderRelease), "(this release)").Replace(diff)
}

// fillRequest fills in the request from the recorded release, or from the plan if the
// release does not exist yet.
func (s *session) fillRequest(ctx context.Context, p plan.Plan, w step.DeployParams, renderer port.Renderer, o *port.DeployRequest) error {
	if w.Release != "" {
		saved, err := s.deps.Releases.Get(ctx, w.Release)
		o.ID, o.Release = saved.ID, saved.Release
		return err
	}
	m := port.Manifests{
		Service: p.Service, Paths: w.Manifests, Values: w.Values, Workload: w.Workload, Model: w.Model, Delivery: w.ModelDelivery,
		Image: delivery.Image{Repository: s.project.Image.Repository, Digest: s.builtDigest(ctx, p)},
	}
	if m.Model == nil && s.project.Model != nil {
		m.Model = &delivery.ModelRef{Group: s.project.Model.Group, Version: 1, Digest: placeholderDigest}
	}
	if m.Model != nil && w.ModelDelivery != delivery.DeliverByEnv {
		m.ModelImage = delivery.Image{Repository: m.Image.Repository, Digest: placeholderDigest}
	}
	if len(w.Manifests) > 0 {
		tmp, err := os.MkdirTemp("", "slipway-plan-")
		if err != nil {
			return fmt.Errorf("create a folder for the manifests: %w", err)
		}
		defer os.RemoveAll(tmp)
		dir := filepath.Join(tmp, "src") // a checkout keeps its notes beside it
		if err := os.Mkdir(dir, 0o700); err != nil {
			return fmt.Errorf("create a folder for the manifests: %w", err)
		}
		if err := s.deps.Source.Checkout(ctx, p.Commit.Tree, dir); err != nil {
			return err
		}
		m.Dir = dir
	}
	out, err := renderer.Render(ctx, m)
	if err != nil {
		return err
	}
	o.Secrets = out.Secrets
	o.Release = delivery.Release{
		Service: p.Service, Image: m.Image, Model: m.Model, Workload: w.Workload, Objects: out.Objects, Manifests: out.Digest(),
	}
	return nil
}

// builtDigest returns the image's digest if the cache or the registry has it.
func (s *session) builtDigest(ctx context.Context, p plan.Plan) delivery.Digest {
	recall := s.cacheLookup(ctx)
	for _, spec := range p.Steps {
		if spec.Kind != step.Build || spec.Action != step.ActionCached {
			continue
		}
		res, ok := recall(spec, nil)
		if !ok {
			res, ok = s.existingLookup(ctx)(spec)
		}
		if !ok {
			continue
		}
		given := map[string]json.RawMessage{spec.Name: res.Output}
		if b, ok, err := step.DecodeOutput[step.BuildOutput](given, spec.Name); ok && err == nil && b.Digest.Valid() {
			return b.Digest
		}
	}
	return placeholderDigest
}
