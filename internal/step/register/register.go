// Package register stores the evaluated model and adds it to the model registry.
package register

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/step"
)

// Step registers.
type Step struct {
	Artifacts port.ArtifactStore
	Models    port.ModelRegistry
	SBOMs     port.SBOMGenerator // of projects that sign; nil: they can't be
}

// Run registers the model with its metrics and lineage. The same files are the
// same version, however often they are registered. Its output is
// step.RegisterOutput.
func (s Step) Run(ctx context.Context, r step.Request) (step.Result, error) {
	w, err := step.ParamsOf[step.RegisterParams](r.Spec)
	if err != nil {
		return step.Result{}, err
	}
	if w.Group == "" {
		return step.Result{}, fault.New(fault.Invalid, "step %s: the model group is missing", r.Spec.Name)
	}
	trained, ok, err := step.OutputOf[step.TrainOutput](r.Inputs, step.Train)
	if err != nil {
		return step.Result{}, err
	}
	if !ok {
		return step.Result{}, fault.New(fault.Internal, "register %s: the plan has no train step before it", w.Group)
	}
	evaluated, ok, err := step.OutputOf[step.EvaluateOutput](r.Inputs, step.Evaluate)
	if err != nil {
		return step.Result{}, err
	}
	dir := trained.Dir
	if ok {
		dir = evaluated.Dir
	}
	r.Progress("storing the model's files")
	// Nothing that differs from run to run may be annotated: it would make
	// another digest of the same files.
	digest, err := s.Artifacts.Store(ctx, w.Group, dir, map[string]string{"org.opencontainers.image.title": w.Group})
	if err != nil {
		return step.Result{}, fmt.Errorf("store the model's files for %s: %w", w.Group, err)
	}
	m, err := s.Models.Register(ctx, w.Group, digest, evaluated.Metrics, lineage(r, trained))
	if err != nil {
		return step.Result{}, fmt.Errorf("register %s: %w", w.Group, err)
	}
	out := step.RegisterOutput{Model: m.ModelRef, Status: m.Status}
	if w.SBOM {
		if out.SBOMs, err = s.generateSBOMs(ctx, r, dir, m); err != nil {
			return step.Result{}, err
		}
	}
	return step.Succeed(fmt.Sprintf("%s %s", m.ModelRef, m.Status), out)
}

// generateSBOMs lists what the model is made of. The folder is named after the
// content, so that the same model has one, whichever run asks for it.
func (s Step) generateSBOMs(ctx context.Context, r step.Request, files string, m delivery.ModelVersion) (*port.SBOMs, error) {
	if s.SBOMs == nil {
		return nil, fault.New(fault.Internal, "generate the SBOMs of model %s: no SBOM generator is configured", m.ModelRef)
	}
	bills, err := s.SBOMs.ModelSBOM(ctx, port.ModelSBOMRequest{
		Files: files, Model: m.ModelRef, Data: m.Lineage.Data,
		Dir: filepath.Join(r.ArtifactsDir, "bills", m.Digest.Hex()),
	})
	if err != nil {
		return nil, fmt.Errorf("generate the SBOMs of model %s: %w", m.ModelRef, err)
	}
	return &bills, nil
}

func lineage(r step.Request, t step.TrainOutput) delivery.Lineage {
	return delivery.Lineage{
		Box:    string(t.Box),
		Commit: t.Commit, Data: t.Data, Datasets: t.Datasets, Job: t.Job, Run: trainingRun(r, t),
		Command: t.Command, Training: t.Inputs, Image: t.Image,
	}
}

// trainingRun is the run that trained the model, which is an earlier one if the
// result was cached. The job is named after it.
func trainingRun(r step.Request, t step.TrainOutput) delivery.RunID {
	const length = len("20060102-150405-abcd")
	if len(t.Job) > length && delivery.RunID(t.Job[:length]).Valid() {
		return delivery.RunID(t.Job[:length])
	}
	return r.Run
}
