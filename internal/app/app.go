// Package app holds the use cases: what a person or a script can ask of Slipway.
// The command line and the server ask here, and nowhere else.
package app

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/slipway-cd/slipway/internal/config"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/engine"
	"github.com/slipway-cd/slipway/internal/event"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/record"
	"github.com/slipway-cd/slipway/internal/redact"
	"github.com/slipway-cd/slipway/internal/step"
	"github.com/slipway-cd/slipway/internal/step/trust"
)

// File is the name of the project's file.
const File = "slipway.yaml"

// Workspace is where a project is.
type Workspace struct {
	Repository string // absolute folder with slipway.yaml
	Home       string // absolute folder of the state
}

// NotifyTarget is where news go, with its secrets in it: never print one.
type NotifyTarget struct {
	Kind   string // webhook | chat
	URL    string
	Secret string
}

// Dependencies are the adapters and steps that the use cases need.
type Dependencies struct {
	Runs        record.Runs
	Cache       record.Cache
	Outbox      record.Outbox
	Models      port.ModelRegistry
	Releases    port.ReleaseStore
	Deployments port.DeploymentStore
	Approvals   port.ApprovalStore

	Source    port.Source
	Steps     map[step.Kind]step.Step
	Targets   map[string]port.Target
	Reference func(delivery.Image) string
	Notifier  func(NotifyTarget) (port.Notifier, error)
	Trust     trust.Verifier
	// GenerateKey makes a signing key pair as PEM, the private half sealed with
	// the passphrase.
	GenerateKey func(passphrase []byte) (private, public []byte, err error)
	// ServeRegistry shows the embedded registry to other tools on a loopback
	// address until ctx ends; ready is told the address.
	ServeRegistry func(ctx context.Context, addr string, ready func(addr string)) error
	Shutdown      func(ctx context.Context) error // ends helpers that were kept warm between commands
	Close         func() error
}

// Factory makes the parts for a place. It is cheap: what is slow starts when it
// is first used.
type Factory func(ctx context.Context, p Workspace) (Dependencies, error)

// App answers the use cases.
type App struct {
	Dir     string   // where the command was given, absolute
	Environ []string // "K=V"
	Factory Factory
	// ScanDatabase is the machine's database of vulnerabilities: it belongs to no
	// project.
	ScanDatabase func() port.ScanDatabase
	Clock        func() time.Time
	Sink         event.Sink // what runs say; nil: nothing
}

// getenv looks up a variable of the environment.
func (a *App) getenv(name string) (string, bool) {
	for _, kv := range a.Environ {
		if k, v, _ := strings.Cut(kv, "="); k == name {
			return v, true
		}
	}
	return "", false
}

// session is a use case at work: the project that was found, and its parts.
type session struct {
	app       *App
	workspace Workspace
	project   config.Project
	deps      Dependencies
	redactor  *redact.Redactor
	engine    *engine.Engine
}

// withSession opens the project, runs do, and closes everything.
func (a *App) withSession(ctx context.Context, do func(*session) error) (err error) {
	s, err := a.openSession(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.deps.Close()) }()
	return do(s)
}

func (a *App) openSession(ctx context.Context) (*session, error) {
	place, err := a.findWorkspace()
	if err != nil {
		return nil, err
	}
	project, err := config.Load(filepath.Join(place.Repository, File), a.getenv)
	if err != nil {
		return nil, err
	}
	if err := prepareHome(place.Home); err != nil {
		return nil, err
	}
	parts, err := a.Factory(ctx, place)
	if err != nil {
		return nil, err
	}
	s := &session{app: a, workspace: place, project: project, deps: parts}
	s.redactor = redact.FromEnviron(a.Environ, s.secrets()...)
	s.engine = s.newEngine()
	return s, nil
}

// findWorkspace looks for slipway.yaml in the folder of the command and those above it.
func (a *App) findWorkspace() (Workspace, error) {
	for dir := a.Dir; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, File)); err == nil {
			return a.workspaceAt(dir)
		}
		if dir == filepath.Dir(dir) {
			break
		}
	}
	return Workspace{}, fault.New(fault.NotFound, "no %s found in %s or its parent folders", File, a.Dir).
		Hint("change to the service's repository, or create the file with `slipway init`")
}

func (a *App) workspaceAt(dir string) (Workspace, error) {
	home := filepath.Join(dir, ".slipway")
	if h, ok := a.getenv("SLIPWAY_HOME"); ok && h != "" {
		abs, err := filepath.Abs(h)
		if err != nil {
			return Workspace{}, fmt.Errorf("resolve SLIPWAY_HOME: %w", err)
		}
		home = abs
	}
	return Workspace{Repository: dir, Home: home}, nil
}

// prepareHome makes the state folder, which git is told to leave alone. Linters that
// heed what git is told in the folders above them (ruff) have to see the checkouts
// in it all the same: for them the nearest word counts, for git the outermost.
func prepareHome(home string) error {
	err := writeIfAbsent(filepath.Join(home, ".gitignore"), "*\n")
	if err == nil {
		err = writeIfAbsent(filepath.Join(home, "work", ".gitignore"), "!*\n")
	}
	if err == nil {
		return nil
	}
	f := fault.New(fault.Unavailable, "create the state folder %s", home).Cause(err)
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) {
		f = f.Hint("make the folder writable, or set SLIPWAY_HOME to one that is")
	}
	return f
}

// writeIfAbsent writes a file unless there is one.
func writeIfAbsent(path, text string) error {
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(text), 0o644)
}

func (s *session) newEngine() *engine.Engine {
	sink := s.app.Sink
	if sink == nil {
		sink = event.Tee()
	}
	host, _ := os.Hostname()
	return &engine.Engine{
		Runs: s.deps.Runs, Cache: s.deps.Cache, Steps: s.deps.Steps, Source: s.deps.Source,
		Sink: sink, Home: s.workspace.Home, Repository: s.workspace.Repository,
		Clock: s.app.Clock, Redactor: s.redactor,
		PID: os.Getpid(), Host: host,
	}
}

// actor names the person or robot behind a command.
func (a *App) actor() string {
	for _, name := range []string{"SLIPWAY_ACTOR", "GITHUB_ACTOR", "USER", "LOGNAME"} {
		if v, ok := a.getenv(name); ok && v != "" {
			return v
		}
	}
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return fmt.Sprintf("uid %d", os.Getuid())
}

// newRunID is unique enough for one service: the second, and 1.6 million values.
func newRunID(now time.Time) delivery.RunID {
	const letters = "abcdefghijklmnopqrstuvwxyz0123456789"
	var b [4]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the program instead
	for i := range b {
		b[i] = letters[int(b[i])%len(letters)]
	}
	return delivery.RunID(now.UTC().Format("20060102-150405") + "-" + string(b[:]))
}
