// Package ko builds images of Go servers without Docker: go build, and the
// binary on a base of our own. docs/decisions/0004-image-base.md tells what is in it.
package ko

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/ko/pkg/build"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// Version of the library; a test holds it against go.mod.
const Version = "0.19.1"

// Config of a Builder; the zero value builds for this machine's processor.
type Config struct {
	Arch string // default: this machine's
}

// Builder fulfils port.Builder. Safe for concurrent use; builds wait for each
// other, because the toolchain uses all processors anyway.
type Builder struct {
	arch string
	base func() (v1.Image, error)

	building sync.Mutex

	mu     sync.Mutex
	cached toolchain
}

// toolchain is a program go, and the version that it said.
type toolchain struct {
	path    string
	info    os.FileInfo
	version string
}

var _ port.Builder = (*Builder)(nil)

// New makes a Builder.
func New(c Config) *Builder {
	if c.Arch == "" {
		c.Arch = runtime.GOARCH
	}
	return &Builder{arch: c.Arch, base: sync.OnceValues(func() (v1.Image, error) { return baseImage(c.Arch) })}
}

// Fingerprint names the toolchain and what else decides over the image's bytes.
func (b *Builder) Fingerprint(ctx context.Context) (string, error) {
	version, err := b.version(ctx)
	if err != nil {
		return "", b.toolchainError(ctx, "read the version of Go", err)
	}
	return fmt.Sprintf("%s ko%s linux/%s base%d", version, Version, b.arch, baseVersion), nil
}

// version asks the program once: a plan and the run after it both want to know.
func (b *Builder) version(ctx context.Context) (string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	path, err := exec.LookPath("go")
	if err != nil {
		return "", err
	}
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if k := b.cached; k.path == path && os.SameFile(k.info, info) && k.info.ModTime().Equal(info.ModTime()) {
		return k.version, nil
	}
	out, err := exec.CommandContext(ctx, path, "env", "GOVERSION").Output()
	if err != nil {
		return "", err
	}
	b.cached = toolchain{path, info, strings.TrimSpace(string(out))}
	return b.cached.version, nil
}

func (b *Builder) toolchainError(ctx context.Context, act string, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("%s: %w", act, context.Cause(ctx))
	}
	return fault.New(fault.Unavailable, "%s", act).Hint("install Go and add it to PATH: https://go.dev/dl").Cause(err)
}

// Build writes the image of the main package o.Go into o.Layout.
func (b *Builder) Build(ctx context.Context, o port.BuildRequest, out io.Writer) (port.BuiltImage, error) {
	act := fmt.Sprintf("build %s of %s", o.Go, o.Service)
	at, err := findMainPackage(o, b.arch)
	if err != nil {
		return port.BuiltImage{}, err
	}
	if _, err := exec.LookPath("go"); err != nil {
		return port.BuiltImage{}, b.toolchainError(ctx, act, err)
	}
	b.building.Lock()
	defer b.building.Unlock()
	if ctx.Err() != nil {
		return port.BuiltImage{}, fmt.Errorf("%s: %w", act, context.Cause(ctx))
	}
	img, err := b.compile(ctx, o, at, out)
	if err != nil {
		return port.BuiltImage{}, buildError(ctx, act, err, out)
	}
	built, err := writeAtomically(img, o.Layout)
	if err != nil {
		return port.BuiltImage{}, buildError(ctx, act, err, out)
	}
	return built, nil
}

// compile runs the toolchain, and makes the image in memory.
func (b *Builder) compile(ctx context.Context, o port.BuildRequest, at mainPackage, out io.Writer) (v1.Image, error) {
	options := []build.Option{
		build.WithBaseImages(func(context.Context, string) (refName, build.Result, error) {
			base, err := b.base()
			return scratch{}, base, err
		}),
		build.WithPlatforms("linux/" + b.arch),
		build.WithDisabledSBOM(),
		build.WithTrimpath(true),
		build.WithCreationTime(v1.Time{Time: o.Commit.Time.UTC().Truncate(time.Second)}),
		build.WithKoDataCreationTime(v1.Time{Time: o.Commit.Time.UTC().Truncate(time.Second)}),
		build.WithUser(user),
		build.WithConfig(map[string]build.Config{at.pkg: {
			Env:     b.environment(o.Env),
			Flags:   build.FlagArray{"-buildvcs=false"},
			Ldflags: build.StringArray{"-s -w -buildid="},
		}}),
	}
	for key, value := range labels(o) {
		options = append(options, build.WithLabel(key, value), build.WithAnnotation(key, value))
	}
	builder, err := build.NewGo(ctx, at.module, options...)
	if err != nil {
		return nil, err
	}
	defer redirectLog(out)()
	result, err := builder.Build(ctx, build.StrictScheme+at.pkg)
	if err != nil {
		return nil, err
	}
	img, ok := result.(v1.Image)
	if !ok {
		return nil, fmt.Errorf("ko returned %T instead of an image", result)
	}
	return img, nil
}

// environment settles what would otherwise depend on the user's own settings.
// The library adds the rest of this process's environment: the module proxy,
// the caches, HOME.
func (b *Builder) environment(of map[string]string) []string {
	fixed := map[string]string{
		"GOOS": "linux", "GOARCH": b.arch, "CGO_ENABLED": "0",
		"GOAMD64": "v1", "GOARM64": "v8.0", "GOFIPS140": "off",
		"GOFLAGS": "-buildvcs=false", // not empty: then the user's `go env -w` would count
	}
	for k, v := range of {
		fixed[k] = v
	}
	env := make([]string, 0, len(fixed))
	for k, v := range fixed {
		env = append(env, k+"="+v)
	}
	return env
}

// labels say where the image comes from, in the words of the OCI specification.
func labels(o port.BuildRequest) map[string]string {
	n := map[string]string{
		"org.opencontainers.image.title":    o.Service,
		"org.opencontainers.image.revision": o.Commit.SHA,
		"org.opencontainers.image.created":  o.Commit.Time.UTC().Truncate(time.Second).Format(time.RFC3339),
	}
	if o.Commit.Source != "" {
		n["org.opencontainers.image.source"] = o.Commit.Source
	}
	if o.Commit.Dirty {
		n["dev.slipway.tree"] = o.Commit.Tree // the revision alone would not say what was built
	}
	return n
}

// redirectLog sends what the library says with the process's logger to out; it has
// no other way. Builds wait for each other, so that the one before is restored.
func redirectLog(out io.Writer) (restore func()) {
	before, flags := log.Writer(), log.Flags()
	log.SetOutput(out)
	log.SetFlags(0)
	return func() { log.SetOutput(before); log.SetFlags(flags) }
}

// writeAtomically puts the image into a new OCI layout at dir.
func writeAtomically(img v1.Image, dir string) (port.BuiltImage, error) {
	partial := dir + ".partial"
	if err := os.RemoveAll(partial); err != nil {
		return port.BuiltImage{}, err
	}
	defer os.RemoveAll(partial)
	built, err := writeLayout(img, partial)
	if err != nil {
		return port.BuiltImage{}, fmt.Errorf("write the image layout: %w", err)
	}
	if err := os.RemoveAll(dir); err != nil {
		return port.BuiltImage{}, err
	}
	if err := os.Rename(partial, dir); err != nil {
		return port.BuiltImage{}, err
	}
	built.Layout = filepath.Clean(dir)
	return built, nil
}

func digest(img v1.Image) (delivery.Digest, error) {
	d, err := img.Digest()
	return delivery.Digest(d.String()), err
}
