package app

import (
	"os"
	"path/filepath"

	"github.com/slipway-cd/slipway/internal/config"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/loopback"
	"github.com/slipway-cd/slipway/internal/plan"
	"github.com/slipway-cd/slipway/internal/policy"
)

// fileVariables are those that slipway.yaml refers to where it is read: in state and
// model.data. Their values are sent to addresses and shown in errors before there is a
// plan to check.
type fileVariables struct {
	app        *App
	repository string
	allowed    policy.Allowed
	denied     string // the first one that was not looked up
}

// lookup returns a variable that the policy lets the commit use, or that is the path of
// something that exists, which is no secret.
func (v *fileVariables) lookup(name string) (string, bool) {
	value, ok := v.app.getenv(name)
	if !ok || value == "" || v.allowed.Allows(name) || v.exists(value) {
		return value, ok
	}
	if v.denied == "" {
		v.denied = name
	}
	return "", false
}

func (v *fileVariables) exists(path string) bool {
	if !filepath.IsAbs(path) {
		path = filepath.Join(v.repository, path)
	}
	_, err := os.Lstat(path)
	return err == nil
}

// loadProject reads slipway.yaml with the variables that the event may use.
func (a *App) loadProject(repository string, rules policy.Policy) (config.Project, error) {
	event := string(plan.PushEvent)
	if a.isPullRequest() {
		event = string(plan.PullRequestEvent)
	}
	v := &fileVariables{app: a, repository: repository, allowed: rules.Secrets(event)}
	project, err := config.Load(filepath.Join(repository, config.FileName), v.lookup, a.Kinds)
	if v.denied != "" {
		return project, forbiddenVariable(v.allowed, config.FileName, event, v.denied)
	}
	return project, err
}

// forbiddenVariable refuses a variable that the event may not use.
func forbiddenVariable(allowed policy.Allowed, who, event, name string) *fault.Error {
	f := forbidden(allowed.From, "%s: a %s may not use the variable %s", who, eventTitle(event), name)
	if allowed.IsDefault() {
		f = f.Hint("whoever can open a pull request would read it; if it is meant for them, release it in a policy outside of the repository: secrets: {pull_request: [%s]} in the file that $SLIPWAY_POLICY names, or in %s", name, systemPolicy)
	}
	return f
}

// checkStateAddress refuses a shared state of slipway.yaml that the policy does not list,
// and without a list a host that a pull request chooses: it would get the credentials of
// the job, or be sent what they sign.
func (a *App) checkStateAddress(p policy.Policy, location string) error {
	if location == "" || a.State != "" || a.Variable("SLIPWAY_STATE") != "" {
		return nil
	}
	allowed := p.Addresses(policy.State)
	if !allowed.AllowsAddress(location) {
		return forbidden(allowed.From, "state: the shared state that the file names")
	}
	host := policy.HostOf(location)
	if allowed.IsLimited() || host == "" || loopback.IsHost(host) || !a.isPullRequest() {
		return nil
	}
	return fault.New(fault.Denied, "state: a pull request may not choose that the host %s gets the job's credentials", host).Location(config.FileName).
		Hint("set SLIPWAY_STATE in the job, or list the address in a policy outside of the repository: addresses: {state: [...]}")
}
