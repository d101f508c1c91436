// Package build builds the service's image as an OCI layout on disk.
package build

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/flock"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/step"
)

// Step builds with Go's toolchain or from a Dockerfile, as the plan says.
type Step struct {
	Builders map[string]port.Builder // by kind
	Images   port.ImageStore         // where images of the same inputs are looked up; nil: nowhere
	Environ  func() []string         // where secrets come from; nil: the process's
}

var (
	_ step.CacheValidator = Step{}
	_ step.Fingerprinter  = Step{}
	_ step.ResultFinder   = Step{}
)

// Run builds the image. Its output is step.BuildOutput.
func (s Step) Run(ctx context.Context, r step.Request) (step.Result, error) {
	w, err := step.ParamsOf[step.BuildParams](r.Spec)
	if err != nil {
		return step.Result{}, err
	}
	builder, err := s.builder(w)
	if err != nil {
		return step.Result{}, err
	}
	inputs, err := inputsOf(r.Service, r.Spec, w)
	if err != nil {
		return step.Result{}, err
	}
	if found, ok := s.lookup(ctx, r); ok {
		return found, nil
	}
	dockerfile, err := s.dockerfile(w)
	if err != nil {
		return step.Result{}, err
	}
	checkout, err := r.Checkout(ctx)
	if err != nil {
		return step.Result{}, err
	}
	root := ""
	if r.CheckoutRoot != nil {
		if root, err = r.CheckoutRoot(ctx); err != nil {
			return step.Result{}, err
		}
	}
	log := r.Log
	if log == nil {
		log = io.Discard
	}
	unlock, err := lockLayout(ctx, r)
	if err != nil {
		return step.Result{}, err
	}
	defer unlock()
	r.Progress("building %s", source(w))
	img, err := builder.Build(ctx, port.BuildRequest{
		Dir: checkout, Root: root, Go: w.Go, Service: r.Service,
		Arch: archOf(w), Repository: w.Repository, Env: w.Env, Options: w.Options, Layout: layoutDir(r), CacheDir: r.CacheDir, Dockerfile: dockerfile, OnProgress: r.OnProgress,
	}, log)
	if err != nil {
		return buildError(ctx, w, err)
	}
	if w.Docker {
		if img, err = s.toDocker(ctx, r, img); err != nil {
			return buildError(ctx, w, err)
		}
	}
	if !img.Digest.Valid() {
		return step.Result{}, fault.New(fault.Internal, "build %s: invalid digest %q", source(w), img.Digest)
	}
	return step.Succeed(fmt.Sprintf("sha256:%s %s", img.Digest.Short(), formatSize(img.Size)), step.BuildOutput{BuiltImage: img, Inputs: inputs})
}

// archOf is what images in Docker's format are built for.
func archOf(w step.BuildParams) string {
	if w.Docker {
		return "amd64"
	}
	return ""
}

// toDocker converts what was built, where something reads Docker's format only.
func (s Step) toDocker(ctx context.Context, r step.Request, img port.BuiltImage) (port.BuiltImage, error) {
	c, ok := s.Images.(port.DockerConverter)
	if !ok {
		return img, fault.New(fault.Internal, "this store of images can't convert to Docker's format")
	}
	r.Progress("converting to Docker's format")
	return c.ToDocker(ctx, img)
}

// lockLayout waits until no other run builds from the same inputs, such as that of the
// same commit in another environment: both write one layout.
func lockLayout(ctx context.Context, r step.Request) (unlock func(), err error) {
	path := layoutDir(r) + ".lock"
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return func() {}, nil //nolint:nilerr // the builder reports it
	}
	lock, err := flock.Lock(ctx, path, func() { r.Progress("waiting for another run that builds from the same inputs") })
	switch {
	case err == nil:
		return func() { _ = errors.Join(os.Remove(path), lock.Close()) }, nil
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	}
	return func() {}, nil
}

// builder picks the builder; plans of go and dockerfile builds do not name it.
func (s Step) builder(w step.BuildParams) (port.Builder, error) {
	kind := w.Kind
	switch {
	case kind == "" && w.Dockerfile != "":
		kind = "dockerfile"
	case kind == "":
		kind = "go"
	}
	if b, ok := s.Builders[kind]; ok {
		return b, nil
	}
	known := slices.Collect(maps.Keys(s.Builders))
	return nil, fault.New(fault.Invalid, "unknown kind of builder %q", kind).Hint("%s", fault.DidYouMean(kind, known))
}

func source(w step.BuildParams) string {
	if w.Dockerfile != "" {
		return w.Dockerfile
	}
	return w.Go
}

// dockerfile is the order's part for a Dockerfile, with the values of its
// secrets: this is the first and only place that looks them up.
func (s Step) dockerfile(w step.BuildParams) (*port.Dockerfile, error) {
	if w.Dockerfile == "" {
		return nil, nil //nolint:nilnil // nil: no Dockerfile
	}
	d := &port.Dockerfile{
		Path: w.Dockerfile, Context: w.Context, Target: w.Target, Args: w.Args, SSH: w.SSH, Platforms: w.Platforms, Cache: w.Cache,
		Secrets: map[string][]byte{},
	}
	environ := s.Environ
	if environ == nil {
		environ = os.Environ
	}
	for _, id := range slices.Sorted(maps.Keys(w.Secrets)) {
		name := strings.TrimSuffix(strings.TrimPrefix(w.Secrets[id], "${"), "}")
		value, ok := lookupEnv(environ(), name)
		if !ok {
			return nil, fault.New(fault.Invalid, "build secret %s needs the environment variable %s, which is not set", id, name).
				Hint("export %s before starting slipway", name)
		}
		d.Secrets[id] = []byte(value)
	}
	return d, nil
}

func lookupEnv(environ []string, name string) (string, bool) {
	for _, kv := range environ {
		if k, v, _ := strings.Cut(kv, "="); k == name {
			return v, v != ""
		}
	}
	return "", false
}

// buildError makes code that does not compile a result: trying again is of no use.
func buildError(ctx context.Context, w step.BuildParams, err error) (step.Result, error) {
	err = fault.Prefix("build "+source(w), err)
	if ctx.Err() == nil && fault.Is(err, fault.Failed) {
		return step.FailWith(err), nil
	}
	return step.Result{}, err
}

// layoutDir is named after the inputs, so that a cached result is found again.
func layoutDir(r step.Request) string {
	name := string(r.Run)
	if r.Spec.Inputs.Valid() {
		name = r.Spec.Inputs.Hex()
	}
	return filepath.Join(r.ArtifactsDir, "images", name)
}

// Fingerprint returns the builder's.
func (s Step) Fingerprint(ctx context.Context, spec step.Spec) (string, error) {
	w, err := step.ParamsOf[step.BuildParams](spec)
	if err != nil {
		return "", err
	}
	builder, err := s.builder(w)
	if err != nil {
		return "", err
	}
	return builder.Fingerprint(ctx)
}

func formatSize(bytes int64) string {
	const k = 1000
	switch {
	case bytes < k:
		return fmt.Sprintf("%d B", bytes)
	case bytes < k*k:
		return fmt.Sprintf("%.1f kB", float64(bytes)/k)
	case bytes < k*k*k:
		return fmt.Sprintf("%.1f MB", float64(bytes)/k/k)
	}
	return fmt.Sprintf("%.1f GB", float64(bytes)/k/k/k)
}
