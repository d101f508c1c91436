package build

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/ocilayout"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/step"
)

// lookupTimeout is how long a look-up in the registry may take. It saves a build
// and is not worth waiting for.
const lookupTimeout = 10 * time.Second

// FindResult returns the image that the registry has of the same inputs: what
// another machine built. Images that anybody can build again are not looked up.
func (s Step) FindResult(ctx context.Context, service string, spec step.Spec) (step.Result, bool, error) {
	w, err := step.ParamsOf[step.BuildParams](spec)
	if err != nil {
		return step.Result{}, false, err
	}
	inputs, err := inputsOf(service, spec, w)
	if err != nil || inputs == "" || s.Images == nil || spec.SkipCache || w.NoLookup || w.Reproducible() {
		return step.Result{}, false, err
	}
	short, cancel := context.WithTimeoutCause(ctx, lookupTimeout, fmt.Errorf("no response within %s", lookupTimeout))
	defer cancel()
	img, ok, err := s.Images.Find(short, w.Repository, step.InputsTag(inputs))
	if err != nil || !ok {
		return step.Result{}, false, err
	}
	out := step.BuildOutput{BuiltImage: port.BuiltImage{Digest: img.Digest}, Inputs: inputs, Existing: true}
	found, err := step.Succeed(fmt.Sprintf("sha256:%s built before from the same inputs", img.Digest.Short()), out)
	return found, err == nil, err
}

// lookup is FindResult for a run: a registry that does not respond is no reason to
// fail.
func (s Step) lookup(ctx context.Context, r step.Request) (step.Result, bool) {
	found, ok, err := s.FindResult(ctx, r.Service, r.Spec)
	if err != nil {
		r.Logf("look for an image of the same inputs: %v; building one", err)
	}
	return found, ok && err == nil
}

// inputsOf returns the digest of what is built from; "" if the files are not known.
func inputsOf(service string, spec step.Spec, w step.BuildParams) (delivery.Digest, error) {
	if !spec.Inputs.Valid() {
		return "", nil
	}
	return w.InputsDigest(service, spec.Inputs)
}

// Revalidate accepts a cached image if its layout is complete, or if the registry
// still has it. Results of older versions get the digest of their inputs.
func (s Step) Revalidate(ctx context.Context, r step.Request, cached step.Result) (step.Result, bool, error) {
	var b step.BuildOutput
	if err := json.Unmarshal(cached.Output, &b); err != nil {
		return cached, false, nil //nolint:nilerr // an output that can't be read is built again
	}
	w, err := step.ParamsOf[step.BuildParams](r.Spec)
	if err != nil {
		return cached, false, err
	}
	if b.Existing {
		return cached, s.has(ctx, r, delivery.Image{Repository: w.Repository, Digest: b.Digest}), nil
	}
	if !ocilayout.Layout(b.Layout).IsComplete(b.Digest) {
		if !s.has(ctx, r, delivery.Image{Repository: w.Repository, Digest: b.Digest}) {
			return cached, false, nil
		}
		b.Layout = "" // another machine has it, or it was removed
		cached.Output, err = json.Marshal(b)
		return cached, err == nil, err
	}
	if b.Inputs == "" {
		if b.Inputs, err = inputsOf(r.Service, r.Spec, w); err == nil && b.Inputs != "" {
			cached.Output, err = json.Marshal(b)
		}
	}
	return cached, err == nil, err
}

// has reports whether the registry holds an image. One that does not respond is no
// reason to fail: then the image is built.
func (s Step) has(ctx context.Context, r step.Request, img delivery.Image) bool {
	if s.Images == nil {
		return false
	}
	ok, err := s.Images.Has(ctx, img)
	if err != nil {
		r.Logf("look for %s: %v", img, err)
	}
	return ok && err == nil
}
