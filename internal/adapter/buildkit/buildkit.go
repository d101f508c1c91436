// Package buildkit builds images from Dockerfiles with BuildKit: one that the
// user names, Docker's own, or one that Slipway starts and keeps.
package buildkit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"runtime"
	"sync"

	"github.com/sirupsen/logrus"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// Config of a Builder.
type Config struct {
	Dir        string              // state of a BuildKit of our own for requests without a CacheDir; made when one is started
	Dirs       []string            // of all that Stop ends, besides Dir and Former
	Former     string              // where earlier versions kept it; not used
	Executable string              // this very program, to end one of ours that is idle, see Keep; "": it stays
	Getenv     func(string) string // default: os.Getenv
}

// Builder fulfils port.Builder for orders with a Dockerfile. Safe for concurrent use.
type Builder struct {
	c Config

	mu     sync.Mutex           // never held while one is looked for
	cached map[string]*endpoint // found before, by this process, for the folder of our own
}

var _ port.Builder = (*Builder)(nil)

// New makes a Builder. Nothing is looked for or started before it is used.
func New(c Config) *Builder {
	if c.Getenv == nil {
		c.Getenv = os.Getenv
	}
	return &Builder{c: c}
}

// Fingerprint names the BuildKit that would build. It starts none.
func (b *Builder) Fingerprint(ctx context.Context) (string, error) {
	e, err := b.endpoint(ctx, b.c.Dir)
	if err != nil {
		return "", err
	}
	version, err := e.version(ctx)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("buildkit %s image%d linux/%s", version, imageVersion, runtime.GOARCH), nil
}

// Build builds the Dockerfile into o.Layout.
func (b *Builder) Build(ctx context.Context, o port.BuildRequest, out io.Writer) (port.BuiltImage, error) {
	silenceLibraryLogs()
	at, err := resolveSource(o)
	if err != nil {
		return port.BuiltImage{}, err
	}
	dir := b.c.Dir
	if o.CacheDir != "" {
		dir = dirIn(o.CacheDir)
	}
	e, err := b.endpoint(ctx, dir)
	if err != nil {
		return port.BuiltImage{}, err
	}
	if err := e.checkSecrets(o.Dockerfile); err != nil {
		return port.BuiltImage{}, err
	}
	c, version, release, err := e.connect(ctx, progressFunc(o))
	if err != nil {
		return port.BuiltImage{}, err
	}
	defer release()
	w := buildJob{
		client: c, order: o, source: at, redactor: newRedactor(o.Dockerfile.Secrets),
		local: e.local,
	}
	if dir != "" {
		w.cacheDir = filepath.Join(dir, "layers")
	}
	if w.syntax = w.builtinSyntax(version); w.syntax != "" {
		fmt.Fprintf(out, "# syntax=%s is read by the frontend in BuildKit %s: nothing is pulled for it\n", w.syntax, version)
	}
	return w.build(ctx, out)
}

// silenceLibraryLogs keeps the libraries off standard error: they log with this process's
// loggers, which nothing of ours uses, and have no other way. Their errors come back.
func silenceLibraryLogs() {
	logrus.SetOutput(io.Discard)
	log.SetOutput(io.Discard)
}

// Stop ends the BuildKit that Slipway started, if one runs. What it keeps stays.
func (b *Builder) Stop(ctx context.Context) error {
	var errs []error
	stopped := map[string]bool{"": true}
	for _, dir := range append([]string{b.c.Dir, b.c.Former}, b.c.Dirs...) {
		if !stopped[dir] {
			stopped[dir] = true
			errs = append(errs, b.daemon(dir, "").stop(ctx))
		}
	}
	return errors.Join(errs...)
}

func (b *Builder) daemon(dir, program string) *daemon {
	return &daemon{dir: dir, program: program, mirrors: b.c.Getenv(MirrorsVariable), idleProgram: b.c.Executable}
}

// endpoint finds a BuildKit: the one that the user names, Docker's own, or one to
// start in dir. The answer stays the same for this process.
func (b *Builder) endpoint(ctx context.Context, dir string) (*endpoint, error) {
	if e := b.cache(dir, nil); e != nil {
		return e, nil
	}
	e, err := b.discover(ctx, dir)
	if err != nil {
		return nil, err
	}
	return b.cache(dir, e), nil
}

// cache keeps e for a folder unless it holds another already, and returns the one that it
// holds.
func (b *Builder) cache(dir string, e *endpoint) *endpoint {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.cached == nil {
		b.cached = map[string]*endpoint{}
	}
	if b.cached[dir] == nil && e != nil {
		b.cached[dir] = e
	}
	return b.cached[dir]
}

func (b *Builder) discover(ctx context.Context, dir string) (*endpoint, error) {
	if host := b.c.Getenv(HostVariable); host != "" {
		return parseEndpoint(host, b.c.Getenv(TLSVariable))
	}
	docker, why := dockerEngine(ctx, b.c.Getenv(dockerVariable))
	if docker != nil {
		return docker, nil
	}
	if ctx.Err() != nil {
		return nil, fmt.Errorf("find BuildKit: %w", context.Cause(ctx))
	}
	program, err := findDaemon(b.c.Getenv(ProgramVariable))
	if err != nil {
		return nil, notFoundError(why, err)
	}
	d := b.daemon(dir, program)
	if _, err := parseMirrors(d.mirrors); err != nil {
		return nil, err
	}
	return &endpoint{name: "BuildKit in " + d.dir, daemon: d, local: true}, nil
}

// notFoundError explains how to get a builder.
func notFoundError(docker, own error) error {
	ways := "set " + HostVariable + " to the address of a BuildKit, start Docker (with its containerd image store), " +
		"or put buildkitd and runc into PATH (https://github.com/moby/buildkit/releases) and Slipway starts it"
	return fault.New(fault.Unavailable, "find a BuildKit to build the Dockerfile with").
		Cause(fmt.Errorf("%s is not set; Docker: %w; buildkitd: %w", HostVariable, docker, own)).Hint("%s", ways)
}
