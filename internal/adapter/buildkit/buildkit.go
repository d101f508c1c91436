// Package buildkit builds images from Dockerfiles with BuildKit: one that the
// user names, Docker's own, or one that Slipway starts and keeps.
package buildkit

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"runtime"
	"sync"

	"github.com/moby/buildkit/client"
	"github.com/sirupsen/logrus"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// The environment variables that say where BuildKit is, and what it may use.
const (
	HostVariable    = "BUILDKIT_HOST"        // address of a BuildKit: unix://, tcp://, docker-container://, kube-pod://, ssh://...
	TLSVariable     = "SLIPWAY_BUILDKIT_TLS" // folder with ca.pem, cert.pem and key.pem for a tcp:// address
	ProgramVariable = "SLIPWAY_BUILDKITD"    // the buildkitd to start; default: the one of PATH
	MirrorsVariable = "SLIPWAY_MIRRORS"      // docker.io=http://127.0.0.1:5000,... for the BuildKit that Slipway starts
	dockerVariable  = "DOCKER_HOST"          // of Docker's engine; default: its usual socket
	dockerSocket    = "/var/run/docker.sock" //
	agentVariable   = "SSH_AUTH_SOCK"        // of the SSH agent
)

// IdleCommand is the hidden command that the program has to handle, see
// StopWhenIdle.
const IdleCommand = "keep-buildkit"

// imageVersion counts changes of what this package does to an image. It is part
// of the fingerprint.
const imageVersion = 2

// Config of a Builder.
type Config struct {
	Dir        string              // state of a BuildKit of our own; made when one is started
	Executable string              // this very program, to end one of ours that is idle, see Keep; "": it stays
	Getenv     func(string) string // default: os.Getenv
}

// Builder fulfils port.Builder for orders with a Dockerfile. Safe for concurrent use.
type Builder struct {
	c Config

	mu     sync.Mutex
	cached *endpoint // found before, by this process
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
	e, err := b.endpoint(ctx)
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
	e, err := b.endpoint(ctx)
	if err != nil {
		return port.BuiltImage{}, err
	}
	if err := e.checkSecrets(o.Dockerfile); err != nil {
		return port.BuiltImage{}, err
	}
	c, release, err := e.connect(ctx, progressFunc(o))
	if err != nil {
		return port.BuiltImage{}, err
	}
	defer release()
	w := buildJob{
		client: c, order: o, source: at, redactor: newRedactor(o.Dockerfile.Secrets),
		local: e.local,
	}
	if b.c.Dir != "" {
		w.cacheDir = filepath.Join(b.c.Dir, "layers")
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
	return b.daemon("").stop(ctx)
}

func (b *Builder) daemon(program string) *daemon {
	return &daemon{dir: b.c.Dir, program: program, mirrors: b.c.Getenv(MirrorsVariable), idleProgram: b.c.Executable}
}

// endpoint is a BuildKit that can be reached, or started.
type endpoint struct {
	name      string // for people
	address   string // of client.New
	cleartext bool   // plain text would leave this machine
	options   []client.ClientOpt
	daemon    *daemon // ours to start
	local     bool    // it is on this machine
}

// version returns the version without starting anything.
func (e *endpoint) version(ctx context.Context) (string, error) {
	if e.daemon != nil {
		return e.daemon.version(ctx)
	}
	c, err := e.dial(ctx)
	if err != nil {
		return "", err
	}
	defer func() { _ = c.Close() }()
	return e.queryVersion(ctx, c)
}

// connect returns a client of a BuildKit that responds. release closes it.
func (e *endpoint) connect(ctx context.Context, say func(string)) (c *client.Client, release func(), err error) {
	done := func() {}
	if e.daemon != nil {
		if done, err = e.daemon.acquire(ctx, say); err != nil {
			return nil, nil, err
		}
	}
	if c, err = e.dial(ctx); err != nil {
		done()
		return nil, nil, err
	}
	if _, err := e.queryVersion(ctx, c); err != nil {
		_ = c.Close()
		done()
		return nil, nil, err
	}
	return c, func() { _ = c.Close(); done() }, nil
}

func (e *endpoint) dial(ctx context.Context) (*client.Client, error) {
	address := e.address
	if e.daemon != nil {
		address = e.daemon.address()
	}
	c, err := client.New(ctx, address, e.options...)
	if err != nil {
		return nil, fault.New(fault.Unavailable, "connect to %s", e.name).Cause(err).
			Hint("check %s", HostVariable)
	}
	return c, nil
}

// queryVersion wants an answer within patience: a dead address would wait for ever.
func (e *endpoint) queryVersion(ctx context.Context, c *client.Client) (string, error) {
	short, cancel := context.WithTimeoutCause(ctx, connectTimeout, fmt.Errorf("no response within %s", connectTimeout))
	defer cancel()
	info, err := c.Info(short)
	switch {
	case ctx.Err() != nil:
		return "", fmt.Errorf("connect to %s: %w", e.name, context.Cause(ctx))
	case err == nil && info.BuildkitVersion.Version != "":
		return info.BuildkitVersion.Version, nil
	case err == nil:
		return "unknown", nil
	}
	return "", fault.New(fault.Unavailable, "connect to %s", e.name).Cause(connectionError(err)).
		Hint("is it running? Check with `buildctl --addr %s debug info`", e.address)
}
