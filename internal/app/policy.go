package app

import (
	"cmp"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/filetrust"
	"github.com/slipway-cd/slipway/internal/plan"
	"github.com/slipway-cd/slipway/internal/policy"
	"github.com/slipway-cd/slipway/internal/port"
)

const (
	// policyName is a policy's file in the folders of the system and the user, and its
	// object in a shared state.
	policyName   = "policy.yaml"
	systemPolicy = "/etc/slipway/" + policyName
	maxPolicy    = 1 << 20
)

// PolicyPlace is where a policy may be.
type PolicyPlace struct {
	Place string `json:"place"`
	Found bool   `json:"found"`
}

// policyFiles are the files of this machine, and whether one has to exist.
func (a *App) policyFiles() (paths []string, required string) {
	paths = []string{cmp.Or(a.SystemPolicy, systemPolicy)}
	if config := a.userConfig(); filepath.IsAbs(config) {
		paths = append(paths, filepath.Join(config, "slipway", policyName))
	}
	if required = a.Variable("SLIPWAY_POLICY"); required != "" {
		if !filepath.IsAbs(required) {
			required = filepath.Join(a.Dir, required)
		}
		paths = append(paths, required)
	}
	return paths, required
}

// userConfig returns the folder of the user's configuration, or "" where the environment
// names none.
func (a *App) userConfig() string {
	if config := a.Variable("XDG_CONFIG_HOME"); config != "" {
		return config
	}
	if home := a.Variable("HOME"); home != "" {
		return filepath.Join(home, ".config")
	}
	return ""
}

// localPolicy reads the policies of this machine. What the repository brings is none.
func (a *App) localPolicy(repository string) (p policy.Policy, places []PolicyPlace, err error) {
	if top, _ := gitDirs(repository); repository != "" && top != "" {
		repository = top // a service in a folder of it: commits bring the folders beside it, too
	}
	paths, required := a.policyFiles()
	for _, path := range paths {
		text, err := os.ReadFile(path)
		switch {
		case errors.Is(err, fs.ErrNotExist) && path != required:
			places = append(places, PolicyPlace{Place: path})
			continue
		case err != nil:
			return p, nil, fault.New(fault.FileKind(err), "read the policy %s", path).Cause(err).
				Hint("without it, nothing is known about what is allowed")
		case repository != "" && filetrust.Controls(repository, path):
			return p, nil, fault.New(fault.Denied, "the policy %s is in the repository %s, which it is to limit", path, repository).
				Hint("keep it where commits don't reach it, such as %s", systemPolicy)
		}
		if uid, foreign := filetrust.Foreign(path); foreign && !a.invokedBy(uid) {
			return p, nil, fault.New(fault.Denied, "the policy %s belongs to another user (uid %d)", path, uid).Hint("chown it to root or to yourself")
		}
		if p, err = withDocument(p, path, text); err != nil {
			return p, nil, err
		}
		places = append(places, PolicyPlace{path, true})
	}
	return p, places, nil
}

func withDocument(p policy.Policy, place string, text []byte) (policy.Policy, error) {
	if len(text) > maxPolicy {
		return p, fault.New(fault.Invalid, "the policy %s is larger than 1 MiB", place)
	}
	d, err := policy.Parse(place, text)
	if err != nil {
		return p, err
	}
	return p.With(place, d), nil
}

// addSharedPolicy adds the policy that lies in the shared state.
func (s *session) addSharedPolicy(ctx context.Context) error {
	if s.deps.Shared == nil || s.deps.Shared.Objects == nil {
		return nil
	}
	place := s.deps.Shared.Location + "/" + policyName
	r, _, err := s.deps.Shared.Objects.Open(ctx, policyName)
	if fault.Is(err, fault.NotFound) {
		s.policyPlaces = append(s.policyPlaces, PolicyPlace{Place: place})
		return nil
	}
	var text []byte
	if err == nil {
		text, err = io.ReadAll(io.LimitReader(r, maxPolicy+1))
		err = errors.Join(err, r.Close())
	}
	if err != nil {
		return fault.New(fault.KindOf(err), "read the policy %s", place).Cause(err)
	}
	s.policyPlaces = append(s.policyPlaces, PolicyPlace{place, true})
	s.policy, err = withDocument(s.policy, place, text)
	return err
}

// addTargetPolicy adds the policy that lies where the environment is deployed to. One
// that can't be read now is an error: it may forbid what is planned.
func (s *session) addTargetPolicy(ctx context.Context, env delivery.Environment) error {
	if !s.deploys(env) {
		return nil
	}
	target, err := s.target(env)
	if err != nil {
		return err
	}
	reader, ok := target.(port.PolicyReader)
	if !ok {
		return nil
	}
	text, place, err := reader.ReadPolicy(ctx)
	switch {
	case err != nil:
		return err
	case text == nil:
		s.policyPlaces = append(s.policyPlaces, PolicyPlace{Place: place})
		return nil
	}
	s.policyPlaces = append(s.policyPlaces, PolicyPlace{place, true})
	if s.policy, err = withDocument(s.policy, place, text); err == nil {
		s.applyPolicy()
	}
	return err
}

// meetPolicy adds the policy of the shared state, and applies all that are known.
func (s *session) meetPolicy(ctx context.Context) error {
	if err := s.addSharedPolicy(ctx); err != nil {
		return err
	}
	s.applyPolicy()
	if err := s.checkKubeconfigs(); err != nil {
		return err
	}
	return s.checkModelRegistry()
}

// applyPolicy tightens the project by what the policy counts.
func (s *session) applyPolicy() {
	for name, e := range s.project.Environments {
		count, who, _ := s.policy.Approvals(name)
		e.Approvals, e.Approvers = max(e.Approvals, count), who.Lists
		s.project.Environments[name] = e
	}
}

// event is what the policy takes a run for. A CI that reports a pull request is believed
// whatever an option claims.
func (s *session) event() string {
	if s.trigger.Event == plan.PullRequestEvent || s.app.isPullRequest() {
		return string(plan.PullRequestEvent)
	}
	return string(plan.PushEvent)
}

// releasedVariable looks up a variable that the policy lets the commit use.
func (s *session) releasedVariable(name string) (string, bool) {
	if !s.policy.Secrets(s.event()).Allows(name) {
		return "", false
	}
	return s.app.getenv(name)
}
