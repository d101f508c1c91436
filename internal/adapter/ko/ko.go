// Package ko builds images of Go servers without Docker: it runs go build and
// adds the binary to a minimal base image, which
// docs/decisions/0004-image-base.md describes.
package ko

import (
	"cmp"
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

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/ocilayout"
	"github.com/slipway-cd/slipway/internal/port"
)

// Version is the version of the ko library; a test compares it with go.mod.
const Version = "0.19.1"

// BuildCommand is the internal command that builds.
const BuildCommand = "build-go"

// Config configures a Builder. The zero value builds for the processor of this
// machine.
type Config struct {
	Arch string // default: this machine's
	// Command is a program with arguments that calls RunBuild. Default: this program
	// with BuildCommand.
	Command []string
}

// Builder implements port.Builder. It is safe for concurrent use; builds run one
// at a time because the toolchain uses all processors.
type Builder struct {
	arch    string
	command []string

	building chan struct{} // holds a value while a build runs

	mu     sync.Mutex // never held while a program runs
	cached toolchain
}

// waitDelay is how long what a program leaves behind may hold its output.
const waitDelay = time.Second

// toolchain is a go binary and its version.
type toolchain struct {
	path    string
	info    os.FileInfo
	version string
}

var _ port.Builder = (*Builder)(nil)

// New returns a Builder.
func New(c Config) *Builder {
	if c.Arch == "" {
		c.Arch = runtime.GOARCH
	}
	if len(c.Command) == 0 {
		c.Command = []string{os.Args[0], BuildCommand}
		if self, err := os.Executable(); err == nil {
			c.Command[0] = self
		}
	}
	return &Builder{arch: c.Arch, command: c.Command, building: make(chan struct{}, 1)}
}

// Fingerprint identifies the toolchain and everything else that determines the
// bytes of the image.
func (b *Builder) Fingerprint(ctx context.Context) (string, error) {
	version, err := b.version(ctx)
	if err != nil {
		return "", b.toolchainError(ctx, "read the version of Go", err)
	}
	return fmt.Sprintf("%s ko%s linux/%s base%d", version, Version, b.arch, baseVersion), nil
}

// version runs the binary once and caches its version, which both plan and run
// need.
func (b *Builder) version(ctx context.Context) (string, error) {
	path, err := exec.LookPath("go")
	if err != nil {
		return "", err
	}
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	b.mu.Lock()
	k := b.cached
	b.mu.Unlock()
	if k.path == path && os.SameFile(k.info, info) && k.info.ModTime().Equal(info.ModTime()) {
		return k.version, nil
	}
	cmd := exec.CommandContext(ctx, path, "env", "GOVERSION") // it may download the toolchain that go.mod names
	cmd.Env, cmd.WaitDelay = toolEnviron(), waitDelay
	out, err := cmd.Output()
	if err != nil {
		return "", err
	}
	k = toolchain{path, info, strings.TrimSpace(string(out))}
	b.mu.Lock()
	b.cached = k
	b.mu.Unlock()
	return k.version, nil
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
	arch := cmp.Or(o.Arch, b.arch)
	at, err := findMainPackage(o, arch)
	if err != nil {
		return port.BuiltImage{}, err
	}
	if _, err := exec.LookPath("go"); err != nil {
		return port.BuiltImage{}, b.toolchainError(ctx, act, err)
	}
	built, err := b.buildAlone(ctx, buildRequest{Module: at.module, Package: at.pkg, Arch: arch, Service: o.Service, Env: o.Env, Layout: o.Layout}, out)
	if err != nil {
		return port.BuiltImage{}, buildError(ctx, act, err, out)
	}
	return built, nil
}

// compile runs the toolchain and assembles the image in memory.
func compile(ctx context.Context, r buildRequest, out io.Writer) (v1.Image, error) {
	options := []build.Option{
		build.WithBaseImages(func(context.Context, string) (refName, build.Result, error) {
			base, err := baseImage(r.Arch)
			return scratch{}, base, err
		}),
		build.WithPlatforms("linux/" + r.Arch),
		build.WithDisabledSBOM(),
		build.WithTrimpath(true),
		build.WithCreationTime(v1.Time{Time: ocilayout.CreationTime()}),
		build.WithKoDataCreationTime(v1.Time{Time: ocilayout.CreationTime()}),
		build.WithUser(user),
		build.WithConfig(map[string]build.Config{r.Package: {
			Env:     environment(r),
			Flags:   build.FlagArray{"-buildvcs=false"},
			Ldflags: build.StringArray{"-s -w -buildid="},
		}}),
	}
	builder, err := build.NewGo(ctx, r.Module, options...)
	if err != nil {
		return nil, err
	}
	defer redirectLog(out)()
	result, err := builder.Build(ctx, build.StrictScheme+r.Package)
	if err != nil {
		return nil, err
	}
	img, ok := result.(v1.Image)
	if !ok {
		return nil, fmt.Errorf("ko returned %T instead of an image", result)
	}
	return label(img, r.Service)
}

// environment fixes what would otherwise depend on the user's settings. The
// library adds the rest of this process's environment, which is toolEnviron: the
// module proxy, the caches, HOME.
func environment(r buildRequest) []string {
	fixed := map[string]string{
		"GOOS": "linux", "GOARCH": r.Arch, "CGO_ENABLED": "0",
		"GOAMD64": "v1", "GOARM64": "v8.0", "GOFIPS140": "off",
		"GOFLAGS": "-buildvcs=false", // if empty, the user's `go env -w` would apply
	}
	for k, v := range r.Env {
		fixed[k] = v
	}
	env := make([]string, 0, len(fixed))
	for k, v := range fixed {
		env = append(env, k+"="+v)
	}
	return env
}

// redirectLog sends the library's output, which goes to the default logger, to
// out, in a process that does nothing but one build.
func redirectLog(out io.Writer) (restore func()) {
	before, flags := log.Writer(), log.Flags()
	log.SetOutput(out)
	log.SetFlags(0)
	return func() { log.SetOutput(before); log.SetFlags(flags) }
}

// writeAtomically writes the image to a new OCI layout in dir.
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
	if err := ocilayout.Layout(dir).Replace(partial); err != nil {
		return port.BuiltImage{}, err
	}
	built.Layout = filepath.Clean(dir)
	return built, nil
}
