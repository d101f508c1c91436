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
	pushed, err := s.Images.Push(ctx, built.Layout, img, tag, s.progress(r))
	if err != nil {
		return step.Result{}, fmt.Errorf("push %s: %w", w.Repository, err)
	}
	if pushed.Digest != built.Digest {
		return step.Result{}, fault.New(fault.Corrupt, "push %s: the registry has %s, but %s was built",
			w.Repository, pushed.Digest.Short(), built.Digest.Short())
	}
	out := step.PushOutput{Image: pushed, Tag: tag, Reference: s.Images.Reference(pushed)}
	return step.Succeed(out.Reference, out)
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
