package app

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/slipway-cd/slipway/internal/config"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/engine"
	"github.com/slipway-cd/slipway/internal/event"
	"github.com/slipway-cd/slipway/internal/extension"
	"github.com/slipway-cd/slipway/internal/plan"
	"github.com/slipway-cd/slipway/internal/policy"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/redact"
	"github.com/slipway-cd/slipway/internal/scratch"
	"github.com/slipway-cd/slipway/internal/step"
)

// session is one use case in progress: its project and dependencies.
type session struct {
	app       *App
	workspace Workspace
	project   config.Project
	deps      Dependencies
	redactor  *redact.Redactor
	engine    *engine.Engine
	revoking  *delivery.ModelRef // counts as rejected already, while rollbacks are planned
	preview   bool               // nothing is written
	scratch   string             // then: folder for what has to be

	policy       policy.Policy
	policyPlaces []PolicyPlace
	trigger      plan.Trigger                 // of the last plan
	pending      map[delivery.Environment]int // records of a target's history that no trusted key has signed, as it was read last

	facts       plan.Facts                 // of the last plan
	known       map[string]json.RawMessage // outputs of its cached steps, by step
	noBox       error                      // why this machine can't run commands in a box, as far as planning found out
	unavailable map[step.Kind]error        // why steps of a kind can't run here, as far as planning found out
}

// withSession opens the project, runs do, and closes everything.
func (a *App) withSession(ctx context.Context, do func(*session) error) (err error) {
	place, err := a.findWorkspace(ctx)
	if err != nil {
		return err
	}
	s, err := a.openSession(ctx, place, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.deps.Close()) }()
	return do(s)
}

// scratchPrefix begins the names of folders among the system's temporary ones.
const scratchPrefix = "slipway-plan-"

// withPreviewSession is withSession for a use case that leaves the repository and the
// state folder as they are: what has to be written goes to a folder that is removed
// at the end.
func (a *App) withPreviewSession(ctx context.Context, do func(*session) error) (err error) {
	place, err := a.findWorkspace(ctx)
	if err != nil {
		return err
	}
	tmp, err := scratch.New("", scratchPrefix, a.Clock())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, tmp.Close()) }()
	if !hasRecords(place.Home) {
		place.Home = filepath.Join(tmp.Files(), "state")
	}
	s, err := a.openSession(ctx, place, true)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.deps.Close()) }()
	s.scratch = tmp.Files()
	s.useScratchSource()
	return do(s)
}

func (s *session) useScratchSource() {
	if source, ok := s.deps.Source.(port.ScratchSource); ok {
		s.deps.Source = source.WithScratch(s.scratch)
	}
}

// copyRecords makes a preview work on a copy of the records, once: what is to be
// imported into them stays out of the state folder.
func (s *session) copyRecords(ctx context.Context) error {
	if !s.preview || s.workspace.Records != "" || s.deps.CopyRecords == nil {
		return nil
	}
	place := s.workspace
	place.Records = filepath.Join(s.scratch, "records.db")
	if err := s.deps.CopyRecords(ctx, place.Records); err != nil {
		return err
	}
	parts, err := s.app.Factory(ctx, place)
	if err != nil {
		return err
	}
	parts.Log = s.deps.Log // the copy is of no log
	original, closeCopy := s.deps.Close, parts.Close
	parts.Close = func() error { return errors.Join(closeCopy(), original()) }
	s.workspace, s.deps = place, parts
	s.useScratchSource()
	return nil
}

func (a *App) openSession(ctx context.Context, place Workspace, preview bool) (*session, error) {
	rules, places, err := a.localPolicy(place.Repository)
	if err != nil {
		return nil, err
	}
	project, err := a.loadProject(place.Repository, rules)
	if err == nil {
		err = a.checkStateAddress(rules, project.State.URL)
	}
	if err != nil {
		return nil, err
	}
	if !preview {
		if err := prepareHome(place.Home); err != nil {
			return nil, err
		}
	}
	place.Project, place.Also = delivery.Project(project.Service), project.Source.AlsoGlobs()
	place.Cache = a.cacheDir(place)
	if err := a.placeState(&place, project, preview); err != nil {
		return nil, err
	}
	place.RegistryRoles = project.RegistryRoles()
	if project.Model != nil {
		place.ModelRegistry = project.Model.Registry
	}
	s := &session{app: a, workspace: place, project: project, preview: preview, unavailable: map[step.Kind]error{}, policy: rules, policyPlaces: places}
	s.workspace.Secrets, s.workspace.HistoryKeys = s.secrets(), s.historyKeys
	s.redactor = redact.FromEnviron(a.Environ, s.workspace.Secrets...)
	if s.deps, err = a.Factory(ctx, s.workspace); err != nil {
		return nil, err
	}
	if err := s.meetPolicy(ctx); err != nil {
		return nil, errors.Join(err, s.deps.Close())
	}
	s.engine = s.newEngine()
	return s, nil
}

// places are the folders whose paths mean nothing to other machines that share the state.
func (s *session) places() step.Places {
	if s.workspace.State == "" {
		return step.Places{}
	}
	return step.Places{Home: s.workspace.Home, Repository: s.workspace.Repository}
}

func (s *session) newEngine() *engine.Engine {
	sink := s.app.Sink
	if sink == nil {
		sink = event.Tee()
	}
	host, _ := os.Hostname()
	return &engine.Engine{
		Runs: s.deps.Runs, Owners: s.deps.Owners, Machine: s.workspace.Machine.String(), Cache: s.deps.Cache, Blobs: s.deps.Blobs, Files: s.deps.Files, Steps: s.deps.Steps, Source: s.deps.Source,
		ReportDead: s.project.State.OnDead == config.ReportDead,
		Sink:       sink, Home: s.workspace.Home, CacheDir: s.workspace.Cache, Repository: s.workspace.Repository,
		Clock: s.app.Clock, Redactor: s.redactor,
		PID: os.Getpid(), Host: host,
	}
}

// notice emits a message of the use case itself. The engine redacts only its own
// messages.
func (s *session) notice(env delivery.Environment, text string) {
	if s.engine == nil || s.engine.Sink == nil {
		return
	}
	s.engine.Sink.Emit(s.redactor.Event(event.Event{Time: s.app.Clock(), Kind: event.Notice, Environment: env, Text: text}))
}

// secrets are the values that notifications, builds, the model registry and the service
// need and that must not be shown.
func (s *session) secrets() []string {
	refs := extension.SecretsOf(s.project.Image.Build.Section)
	for _, n := range s.project.Notify {
		refs = append(refs, extension.SecretsOf(n.Section)...)
	}
	if m := s.project.Model; m != nil {
		refs = append(refs, extension.SecretsOf(m.Registry.Section)...)
	}
	out := s.referenced(s.project.ServiceVariables())
	for _, ref := range refs {
		if value, err := ref.Resolve(s.app.getenv); err == nil { // its user reports a missing one
			out = append(out, value)
		}
	}
	for _, env := range s.project.EnvironmentNames() {
		for _, check := range s.project.In(delivery.Environment(env)).Deploy.Smoke {
			out = append(out, s.referenced(slices.Collect(maps.Values(check.Headers)))...)
		}
	}
	return slices.Concat(out, s.signingSecrets(), s.variables())
}

// referenced are the values of the variables that texts refer to.
func (s *session) referenced(texts []string) []string {
	var out []string
	for _, text := range texts {
		for _, name := range extension.References(text) {
			if value, ok := s.app.getenv(name); ok && value != "" {
				out = append(out, value)
			}
		}
	}
	return out
}

// signingSecrets are the values that no log may show: the passphrase, and the key
// where it is not the path of a file.
func (s *session) signingSecrets() []string {
	sign := s.project.Sign
	if sign == nil {
		return nil
	}
	var out []string
	for _, ref := range []config.Secret{sign.Key, sign.Passphrase} {
		v, err := ref.Resolve(s.app.getenv)
		if err == nil && (ref == sign.Passphrase || strings.Contains(v, "-----BEGIN")) {
			out = append(out, v)
		}
	}
	return out
}

// deploys reports whether the environment has a target. One that does not exist is
// left to those who look for it.
func (s *session) deploys(env delivery.Environment) bool {
	e, err := s.project.Environment(env)
	return err != nil || e.Deploys()
}

// target returns the target of the environment; one that deploys nothing is
// fault.Invalid.
func (s *session) target(env delivery.Environment) (port.Target, error) {
	e, err := s.project.Environment(env)
	if err != nil {
		return nil, err
	}
	if !e.Deploys() {
		return nil, plan.DeploysNothing(env, e.Until)
	}
	return port.Targets(s.deps.Targets).Find(plan.LocationOf(e))
}
