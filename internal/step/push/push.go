// Package push uploads the built image to its registry.
package push

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/step"
)

// progressInterval is the minimum time between two progress reports.
const progressInterval = 200 * time.Millisecond

// Step pushes.
type Step struct {
	Images port.ImageStore
	Clock  step.Clock
}

var _ step.CacheValidator = Step{}

// Run pushes the image that the build step made. Its output is step.PushOutput.
// The registry must report the digest that was built.
func (s Step) Run(ctx context.Context, r step.Request) (step.Result, error) {
	w, err := step.ParamsOf[step.PushParams](r.Spec)
	if err != nil {
		return step.Result{}, err
	}
	built, ok, err := step.OutputOf[step.BuildOutput](r.Inputs, step.Build)
	if err != nil {
		return step.Result{}, err
	}
	if !ok {
		return step.Result{}, fault.New(fault.Internal, "push %s: the plan has no build step before it", w.Repository)
	}
	img := delivery.Image{Repository: w.Repository, Digest: built.Digest}
	tag := "build-" + string(r.Run)
	if r.Commit.SHA != "" {
		tag += "-" + r.Commit.Short()
	}
	if err := s.checkRepository(ctx, r, w); err != nil {
		return step.Result{}, fault.Prefix("push "+w.Repository, err)
	}
	pushed, err := s.upload(ctx, r, built, img, tag)
	if err != nil {
		return step.Result{}, fault.Prefix("push "+w.Repository, err)
	}
	if pushed.Digest != built.Digest {
		return step.Result{}, fault.New(fault.Corrupt, "push %s: the registry has %s, but %s was built",
			w.Repository, pushed.Digest.Short(), built.Digest.Short())
	}
	if err := s.tagInputs(ctx, r, w, built, pushed); err != nil {
		return step.Result{}, fault.Prefix("push "+w.Repository, err)
	}
	for _, more := range w.Tags {
		if err := s.moveTag(ctx, pushed, more); err != nil {
			return step.Result{}, fault.Prefix("push "+w.Repository, err)
		}
	}
	s.attachRevision(ctx, r, pushed)
	out := step.PushOutput{Image: pushed, Tag: tag, Reference: s.Images.Reference(pushed)}
	return step.Succeed(out.Reference, out)
}

// checkRepository requires the repository to be there, where the registry can tell, and
// says in what it is not as one for releases ought to be.
func (s Step) checkRepository(ctx context.Context, r step.Request, w step.PushParams) error {
	c, ok := s.Images.(port.RepositoryChecker)
	if !ok {
		return nil
	}
	drift, err := c.CheckRepository(ctx, w.Repository, w.Create)
	for _, text := range drift {
		r.Notice("the repository %s: %s", w.Repository, text)
	}
	return err
}

// moveTag gives the image a tag that others had. One that stays where it is names both.
func (s Step) moveTag(ctx context.Context, img delivery.Image, tag string) error {
	there, ok, err := s.Images.Find(ctx, img.Repository, tag)
	if err != nil || ok && there.Digest == img.Digest {
		return err
	}
	err = s.Images.Tag(ctx, img, tag)
	if fault.Is(err, fault.Conflict) && ok {
		return fault.New(fault.Conflict, "the tag %s is %s, and can't be moved to %s: tags of this repository are immutable", tag, there.Digest, img.Digest).
			Hint("remove it from image.tags, or exclude it in the repository (IMMUTABLE_WITH_EXCLUSION)").Cause(err)
	}
	return err
}

// upload brings the image into the registry, unless it was found there.
func (s Step) upload(ctx context.Context, r step.Request, built step.BuildOutput, img delivery.Image, tag string) (delivery.Image, error) {
	if built.Layout != "" {
		return s.Images.Push(ctx, built.Layout, img, tag, s.progress(r))
	}
	has, err := s.Images.Has(ctx, img)
	if err != nil {
		return img, err
	}
	if !has {
		return img, fault.New(fault.NotFound, "%s has disappeared from the registry since the build step found it", img).
			Hint("run it again")
	}
	return img, s.Images.Tag(ctx, img, tag)
}

// tagInputs tags the image by what it was built from, so that other machines find
// it. The first image of the same inputs keeps the tag until --rebuild.
func (s Step) tagInputs(ctx context.Context, r step.Request, w step.PushParams, built step.BuildOutput, img delivery.Image) error {
	if !w.TagInputs || !built.Inputs.Valid() {
		return nil
	}
	tag := step.InputsTag(built.Inputs)
	first, ok, err := s.Images.Find(ctx, img.Repository, tag)
	if err != nil || ok && (first.Digest == img.Digest || !w.Rebuild) {
		return err
	}
	err = s.Images.Tag(ctx, img, tag)
	if fault.Is(err, fault.Conflict) {
		r.Logf("the next build of the same inputs finds %s: the tags of this repository are immutable", first)
		return nil
	}
	return err
}

// attachRevision records the commit next to the image, for people and their tools.
// Nothing depends on it, so a registry that refuses it is no reason to fail.
func (s Step) attachRevision(ctx context.Context, r step.Request, img delivery.Image) {
	if r.Commit.SHA == "" {
		return
	}
	if err := s.Images.AttachRevision(ctx, img, r.Commit); err != nil {
		r.Logf("the commit is not recorded in the registry: %v", err)
	}
}

func (s Step) progress(r step.Request) port.Progress {
	var last time.Time
	return func(done, total int64) {
		now := s.Clock.Now()
		if now.Sub(last) < progressInterval && done != total {
			return
		}
		last = now
		if total > 0 {
			r.Progress("pushed %.1f of %.1f MB", float64(done)/1e6, float64(total)/1e6)
		} else {
			r.Progress("pushed %.1f MB", float64(done)/1e6)
		}
	}
}

// Revalidate accepts a cached push if the registry still has the image.
func (s Step) Revalidate(ctx context.Context, _ step.Request, cached step.Result) (step.Result, bool, error) {
	var p step.PushOutput
	if err := json.Unmarshal(cached.Output, &p); err != nil || !p.Image.Digest.Valid() {
		return cached, false, nil //nolint:nilerr // an output that can't be read is pushed again
	}
	has, err := s.Images.Has(ctx, p.Image)
	if err != nil {
		return cached, false, fmt.Errorf("look for %s: %w", p.Image, err)
	}
	return cached, has, nil
}
