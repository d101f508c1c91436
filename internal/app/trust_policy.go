package app

import (
	"context"
	"slices"

	"github.com/slipway-cd/slipway/internal/config"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/plan"
	"github.com/slipway-cd/slipway/internal/step"
)

// maxTrustFile is the largest key or root of trust that is read.
const maxTrustFile = 1 << 20

// trustPolicy returns the policy of the environment. Without an environment it is the
// union of what all environments trust, and requires signature and provenance: it only
// describes a release, and decides on no deploy.
func (s *session) trustPolicy(env delivery.Environment) (step.TrustParams, error) {
	if env != "" {
		if _, err := s.project.Environment(env); err != nil {
			return step.TrustParams{}, err
		}
		return s.environmentTrustPolicy(env)
	}
	all := step.TrustParams{Require: []string{step.RequireSignature, step.RequireProvenance}}
	for _, name := range s.project.EnvironmentNames() {
		if s.project.Environments[delivery.Environment(name)].Trust == nil {
			continue
		}
		p, err := s.environmentTrustPolicy(delivery.Environment(name))
		if err != nil {
			return all, err
		}
		if all.Root != "" && p.Root != "" && all.Root != p.Root {
			return all, fault.New(fault.Invalid, "the environments use different roots of trust").Hint("choose one environment with --env")
		}
		if all.Root == "" {
			all.Root = p.Root
		}
		for _, k := range p.Keys {
			if !slices.Contains(all.Keys, k) {
				all.Keys = append(all.Keys, k)
			}
		}
		for _, id := range p.Identities {
			if !slices.Contains(all.Identities, id) {
				all.Identities = append(all.Identities, id)
			}
		}
	}
	if len(all.Keys)+len(all.Identities) == 0 {
		return all, fault.New(fault.Invalid, "no environment has a trust policy").
			Hint("add trust: {keys: [cosign.pub]} to an environment in %s", config.FileName)
	}
	return all, nil
}

func (s *session) environmentTrustPolicy(env delivery.Environment) (step.TrustParams, error) {
	e := s.project.Environments[env]
	files, err := s.trustFiles(plan.TrustFiles(e))
	if err != nil {
		return step.TrustParams{}, err
	}
	p := plan.TrustPolicy(e, files)
	if p == nil {
		return step.TrustParams{}, fault.New(fault.Invalid, "environment %s has no trust policy", env).
			Hint("add trust: {keys: [cosign.pub]} to it in %s", config.FileName)
	}
	return *p, nil
}

// findTrustFiles reads the files of the environment's trust policy.
func (s *session) findTrustFiles(_ context.Context, f *plan.Facts, env delivery.Environment) (err error) {
	f.TrustFiles, err = s.trustFiles(plan.TrustFiles(s.project.Environments[env]))
	return err
}

// trustFiles reads files beside slipway.yaml: only the repository decides who is
// trusted.
func (s *session) trustFiles(names []string) (map[string]string, error) {
	return s.readFiles(names, maxTrustFile, "of the trust policy",
		"paths are relative to the folder that contains %s; `slipway keys generate` and `cosign public-key` write public keys")
}
