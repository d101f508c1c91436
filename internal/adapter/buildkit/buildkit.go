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

// IdleCommand is the hidden command that the program must answer to, see Keep.
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

	mu    sync.Mutex
	known *engine // found before, by this process
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
	e, err := b.engine(ctx)
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
	silence()
	at, err := find(o)
	if err != nil {
		return port.BuiltImage{}, err
	}
	e, err := b.engine(ctx)
	if err != nil {
		return port.BuiltImage{}, err
	}
	if err := e.trusts(o.Dockerfile); err != nil {
		return port.BuiltImage{}, err
	}
	c, release, err := e.connect(ctx, progressSay(o))
	if err != nil {
		return port.BuiltImage{}, err
	}
	defer release()
	w := work{
		client: c, order: o, source: at, hush: newHush(o.Dockerfile.Secrets),
		near: e.near,
	}
	if b.c.Dir != "" {
		w.memory = filepath.Join(b.c.Dir, "layers")
	}
	return w.build(ctx, out)
}

// silence keeps the libraries off standard error: they log with this process's
// loggers, which nothing of ours uses, and have no other way. Their errors come back.
func silence() {
	logrus.SetOutput(io.Discard)
	log.SetOutput(io.Discard)
}

// Stop ends the BuildKit that Slipway started, if one runs. What it keeps stays.
func (b *Builder) Stop(ctx context.Context) error {
	return b.daemon("").stop(ctx)
}

func (b *Builder) daemon(program string) *daemon {
	return &daemon{dir: b.c.Dir, program: program, mirrors: b.c.Getenv(MirrorsVariable), keeper: b.c.Executable}
}

// engine is a BuildKit that can be reached, or started.
type engine struct {
	name    string // for people
	address string // of client.New
	remote  bool   // plain text would leave this machine
	options []client.ClientOpt
	own     *daemon // ours to start
	near    bool    // it is on this machine
}

// version asks without starting anything.
func (e *engine) version(ctx context.Context) (string, error) {
	if e.own != nil {
		return e.own.version(ctx)
	}
	c, err := e.dial(ctx)
	if err != nil {
		return "", err
	}
	defer func() { _ = c.Close() }()
	return e.ask(ctx, c)
}

// connect gives a client that reaches a BuildKit which answers. release ends it.
func (e *engine) connect(ctx context.Context, say func(string)) (c *client.Client, release func(), err error) {
	done := func() {}
	if e.own != nil {
		if done, err = e.own.use(ctx, say); err != nil {
			return nil, nil, err
		}
	}
	if c, err = e.dial(ctx); err != nil {
		done()
		return nil, nil, err
	}
	if _, err := e.ask(ctx, c); err != nil {
		_ = c.Close()
		done()
		return nil, nil, err
	}
	return c, func() { _ = c.Close(); done() }, nil
}

func (e *engine) dial(ctx context.Context) (*client.Client, error) {
	address := e.address
	if e.own != nil {
		address = e.own.address()
	}
	c, err := client.New(ctx, address, e.options...)
	if err != nil {
		return nil, fault.New(fault.Unavailable, "reach %s", e.name).Cause(err).
			Hint("look at %s", HostVariable)
	}
	return c, nil
}

// ask wants an answer within patience: a dead address would wait for ever.
func (e *engine) ask(ctx context.Context, c *client.Client) (string, error) {
	short, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("no answer within %s", patience))
	defer cancel()
	info, err := c.Info(short)
	switch {
	case ctx.Err() != nil:
		return "", fmt.Errorf("reach %s: %w", e.name, context.Cause(ctx))
	case err == nil && info.BuildkitVersion.Version != "":
		return info.BuildkitVersion.Version, nil
	case err == nil:
		return "unknown", nil
	}
	return "", fault.New(fault.Unavailable, "reach %s", e.name).Cause(plain(err)).
		Hint("does it run? `buildctl --addr %s debug info` asks it, too", e.address)
}
