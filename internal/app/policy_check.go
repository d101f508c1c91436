package app

import (
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"github.com/slipway-cd/slipway/internal/config"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/extension"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/filetrust"
	"github.com/slipway-cd/slipway/internal/loopback"
	"github.com/slipway-cd/slipway/internal/plan"
	"github.com/slipway-cd/slipway/internal/policy"
	"github.com/slipway-cd/slipway/internal/step"
)

// checkPolicy refuses a plan that loosens the policy, by the first thing that does.
func (s *session) checkPolicy(p plan.Plan) error {
	for _, check := range []func(plan.Plan) error{s.checkReleased, s.checkAddresses, s.checkTrusted, s.checkBoxed} {
		if err := check(p); err != nil {
			return err
		}
	}
	return nil
}

func forbidden(from []string, format string, args ...any) *fault.Error {
	what := fmt.Sprintf(format, args...)
	if slices.Contains(from, policy.DefaultPlace) {
		return fault.New(fault.Denied, "%s", what).Location(config.FileName)
	}
	return fault.New(fault.Denied, "%s: not allowed by the policy %s", what, strings.Join(from, ", ")).Location(config.FileName).
		Hint("`slipway policy show` lists what is allowed; an operator can change it, a commit can't")
}

// checkReleased refuses variables that the event may not use.
func (s *session) checkReleased(p plan.Plan) error {
	allowed := s.policy.Secrets(s.event())
	if !allowed.IsLimited() || p.Skip != "" {
		return nil
	}
	for v := range s.planVariables(p) {
		if v.notification {
			continue // left out: see subscriber
		}
		for _, name := range extension.Variables(v.value) {
			if allowed.Allows(name) {
				continue
			}
			return forbiddenVariable(allowed, v.who, s.event(), name)
		}
	}
	return nil
}

func eventTitle(event string) string { return strings.ReplaceAll(event, "_", " ") }

// checkAddresses refuses addresses of slipway.yaml that would get tokens or content.
func (s *session) checkAddresses(p plan.Plan) error {
	if sign := s.project.Sign; sign != nil && hasStep(p, step.Attest) {
		if err := s.checkAddress(policy.Fulcio, "sign.fulcio", sign.Fulcio, true); err != nil {
			return err
		}
		if err := s.checkAddress(policy.Rekor, "sign.rekor", sign.Rekor, false); err != nil {
			return err
		}
	}
	if c := s.project.Deploy.Canary; c != nil {
		sendsToken := s.app.Variable("SLIPWAY_PROMETHEUS_TOKEN") != ""
		if err := s.checkAddress(policy.Prometheus, "deploy.canary.prometheus", c.Prometheus, sendsToken); err != nil {
			return err
		}
		if sendsToken && isClearText(c.Prometheus) {
			return fault.New(fault.Denied, "deploy.canary.prometheus: the token in SLIPWAY_PROMETHEUS_TOKEN would be sent to %s without encryption", c.Prometheus).
				Location(config.FileName).Hint("use https, or unset the token: a server without encryption can't tell who sends it")
		}
	}
	if host, _ := delivery.SplitRepository(s.project.Image.Repository); host != "" {
		return s.checkAddress(policy.Registries, "image.repository", host, false)
	}
	return nil
}

// checkAddress refuses an address that the policy does not list. One that gets a token
// is refused in a pull request also without a list: the commit chose it.
func (s *session) checkAddress(kind policy.Address, key, address string, token bool) error {
	if address == "" {
		return nil
	}
	allowed := s.policy.Addresses(kind)
	if !allowed.AllowsAddress(address) {
		return forbidden(allowed.From, "%s: %s", key, address)
	}
	if token && !allowed.IsLimited() && s.event() == string(plan.PullRequestEvent) {
		return fault.New(fault.Denied, "%s: a pull request may not choose that %s gets a token", key, address).Location(config.FileName).
			Hint("list the address in a policy outside of the repository: addresses: {%s: [%s]}", kind, address)
	}
	return nil
}

// isClearText reports whether what is sent to an address can be read on the way.
func isClearText(address string) bool {
	u, err := url.Parse(address)
	return err == nil && u.Scheme == "http" && !loopback.IsHost(u.Hostname())
}

// checkTrusted refuses to deploy without the signatures that the policy wants.
func (s *session) checkTrusted(p plan.Plan) error {
	if !s.policy.RequiresTrust() || !changesTarget(p) {
		return nil
	}
	e := s.project.Environments[p.Environment]
	if e.Trust == nil {
		return fault.New(fault.Denied, "environment %s has no trust, and the policy requires signatures", p.Environment).Location(config.FileName).
			Hint("add trust: {keys: [...]} or trust: {identities: [...]} to it; `slipway policy show` lists those that count")
	}
	files, err := s.trustFiles(plan.TrustFiles(e))
	if err != nil {
		return err
	}
	for _, key := range e.Trust.Keys {
		if !s.policy.AllowsKey(files[key]) {
			return forbidden([]string{"trust.keys"}, "trust: key %s (%s)", key, policy.Fingerprint(files[key]))
		}
	}
	for _, id := range e.Trust.Identities {
		if !s.policy.AllowsIdentity(id.Issuer, id.Subject) {
			return forbidden([]string{"trust.identities"}, "trust: identity %s of %s", id.Subject, id.Issuer)
		}
	}
	for _, image := range e.Trust.Images {
		if !s.policy.AllowsImage(image) {
			return forbidden([]string{"trust.images"}, "trust: images %s, without a signature", image)
		}
	}
	return nil
}

// checkKubeconfigs refuses kubeconfigs of slipway.yaml that the policy does not list.
func (s *session) checkKubeconfigs() error {
	allowed := s.policy.Kubeconfigs()
	if !allowed.IsLimited() {
		return nil
	}
	for _, name := range s.project.EnvironmentNames() {
		_, location := plan.LocationOf(s.project.Environments[delivery.Environment(name)])
		var section struct {
			Kubeconfig string `json:"kubeconfig"`
		}
		if err := location.Decode(&section); err != nil || section.Kubeconfig == "" {
			continue // it names none
		}
		path := section.Kubeconfig
		if !filepath.IsAbs(path) {
			path = filepath.Join(s.app.Dir, path)
		}
		if !allowed.Allows(filetrust.Resolved(path)) {
			return forbidden(allowed.From, "environments.%s: kubeconfig %s", name, section.Kubeconfig)
		}
	}
	return nil
}
