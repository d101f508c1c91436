package app

import (
	"context"
	"slices"

	"github.com/slipway-cd/slipway/internal/config"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/policy"
)

// PolicyView is what holds, and where it comes from.
type PolicyView struct {
	Places []PolicyPlace `json:"places"`
	Rules  []PolicyRule  `json:"rules"`
}

// PolicyRule is what the policies together say about one key.
type PolicyRule struct {
	Key     string   `json:"key"`
	Allowed []string `json:"allowed,omitempty"` // with Limited: nothing else is
	Limited bool     `json:"limited"`
	Count   int      `json:"count,omitempty"`
	Require bool     `json:"require,omitempty"`
	From    []string `json:"from"` // places, or "default"
}

// ShowPolicy collects the policies that hold here: those of the machine and the shared
// state, and with an environment that of its target.
func (a *App) ShowPolicy(ctx context.Context, env delivery.Environment) (v PolicyView, err error) {
	if _, err := a.locateWorkspace(); fault.Is(err, fault.NotFound) && env == "" {
		p, places, err := a.localPolicy("")
		return PolicyView{places, policyRules(p, nil)}, err
	}
	err = a.withPreviewSession(ctx, func(s *session) error {
		if env != "" {
			if _, err := s.project.Environment(env); err != nil {
				return err
			}
			if err := s.addTargetPolicy(ctx, env); err != nil {
				return err
			}
		}
		environments := s.project.EnvironmentNames()
		if env != "" {
			environments = []string{string(env)}
		}
		v = PolicyView{s.policyPlaces, policyRules(s.policy, environments)}
		return nil
	})
	return v, err
}

// policyRules are the rules of a policy, in the order of the document.
func policyRules(p policy.Policy, environments []string) (rules []PolicyRule) {
	add := func(key string, a policy.Allowed) {
		if a.IsLimited() {
			rules = append(rules, PolicyRule{Key: key, Allowed: a.Items(), Limited: true, From: sorted(a.From)})
		}
	}
	rules = append(rules, trustRules(p)...)
	for _, env := range environments {
		count, who, from := p.Approvals(delivery.Environment(env))
		if len(from) > 0 {
			rules = append(rules, PolicyRule{Key: "approvals." + env, Count: count, Allowed: who.Items(), Limited: who.IsLimited(), From: from})
		}
	}
	add("secrets.push", p.Secrets("push"))
	add("secrets.pull_request", p.Secrets("pull_request"))
	add("kubeconfigs", p.Kubeconfigs())
	for _, kind := range policy.AddressKinds() {
		add("addresses."+string(kind), p.Addresses(kind))
	}
	if from := p.RequiresBox(); len(from) > 0 {
		rules = append(rules, PolicyRule{Key: "require.box", Require: true, From: from})
	}
	return rules
}

// trustRules are the rules about signatures: keys and identities that all documents allow
// that say whose count, and images that may run without any.
func trustRules(p policy.Policy) (rules []PolicyRule) {
	keys, identities, from := signers(p)
	if len(from) > 0 {
		rules = append(rules, PolicyRule{Key: "trust.keys", Allowed: keys, Limited: true, From: from},
			PolicyRule{Key: "trust.identities", Allowed: identities, Limited: true, From: from})
	}
	images := p.UnsignedImages()
	if !images.IsLimited() {
		return rules
	}
	var allowed []string
	for _, list := range images.Lists {
		for _, image := range list {
			if p.AllowsImage(image) {
				allowed = append(allowed, image)
			}
		}
	}
	return append(rules, PolicyRule{Key: "trust.images", Allowed: sorted(allowed), Limited: true, From: sorted(images.From)})
}

// signers are the keys and identities that all documents allow that say whose count.
func signers(p policy.Policy) (keys, identities, from []string) {
	for _, s := range p.Sources {
		t := s.Document.Trust
		if !t.LimitsSigners() {
			continue
		}
		from = append(from, s.Place)
		if t.Keys != nil {
			for _, k := range *t.Keys {
				if p.AllowsFingerprint(k) {
					keys = append(keys, k)
				}
			}
		}
		if t.Identities != nil {
			for _, id := range *t.Identities {
				if p.AllowsIdentity(id.Issuer, id.Subject) {
					identities = append(identities, identityTitle(id))
				}
			}
		}
	}
	return sorted(keys), sorted(identities), from
}

func identityTitle(id config.Identity) string { return id.Subject + " of " + id.Issuer }

// sorted sorts a list, and drops what is in it twice.
func sorted(list []string) []string { return slices.Compact(slices.Sorted(slices.Values(list))) }
