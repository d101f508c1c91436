package app

import (
	"encoding/json"
	"iter"
	"maps"
	"slices"

	"github.com/slipway-cd/slipway/internal/extension"
	"github.com/slipway-cd/slipway/internal/plan"
	"github.com/slipway-cd/slipway/internal/step"
)

// variable is a value of slipway.yaml that may refer to variables.
type variable struct {
	who          string // key or step, for people
	value        string
	runs         bool // the plan uses it as it stands, rather than a cached result
	notification bool
}

// planVariables are the values that the steps of a plan, the notifications and the signature
// look up.
func (s *session) planVariables(p plan.Plan) iter.Seq[variable] {
	return func(yield func(variable) bool) {
		for _, all := range [][]variable{stepVariables(p), s.buildVariables(p), s.notifyVariables(), s.signVariables(p)} {
			for _, v := range all {
				if !yield(v) {
					return
				}
			}
		}
	}
}

func stepVariables(p plan.Plan) (all []variable) {
	for _, spec := range p.Steps {
		var params struct {
			Env     map[string]string `json:"env"`
			Secrets map[string]string `json:"secrets"`
			Checks  []step.Check      `json:"checks"`
		}
		runs := spec.Action == step.ActionRun
		if json.Unmarshal(spec.Params, &params) == nil { // or it has neither
			for _, values := range []map[string]string{params.Env, params.Secrets} {
				for _, name := range slices.Sorted(maps.Keys(values)) {
					all = append(all, variable{who: spec.Name, value: values[name], runs: runs})
				}
			}
			for _, check := range params.Checks {
				for _, name := range slices.Sorted(maps.Keys(check.Headers)) {
					all = append(all, variable{who: "deploy.smoke " + check.Name, value: check.Headers[name], runs: runs})
				}
			}
		}
		if spec.Kind != step.Deploy {
			continue
		}
		deploy, err := step.ParamsOf[step.DeployParams](spec)
		if err != nil {
			continue // of another version: the step says so
		}
		values := deploy.Overrides.Apply(deploy.Workload).Env
		for _, name := range slices.Sorted(maps.Keys(values)) {
			all = append(all, variable{who: "deploy.env." + name, value: values[name], runs: true})
		}
	}
	return all
}

// buildVariables are those that another builder than Go and Dockerfiles is given.
func (s *session) buildVariables(p plan.Plan) (all []variable) {
	if !hasStep(p, step.Build) {
		return nil
	}
	for _, ref := range extension.SecretsOf(s.project.Image.Build.Section) {
		all = append(all, variable{who: "image.build", value: string(ref)})
	}
	return all
}

func (s *session) notifyVariables() (all []variable) {
	for _, n := range s.project.Notify {
		for _, ref := range extension.SecretsOf(n.Section) {
			all = append(all, variable{who: "notify", value: string(ref), runs: true, notification: true})
		}
	}
	return all
}

func (s *session) signVariables(p plan.Plan) []variable {
	if sign := s.project.Sign; sign != nil && hasStep(p, step.Attest) {
		return []variable{{who: "sign.key", value: string(sign.Key), runs: true}, {who: "sign.passphrase", value: string(sign.Passphrase), runs: true}}
	}
	return nil
}

// hasStep reports whether a plan has a step of the kind.
func hasStep(p plan.Plan, kind step.Kind) bool {
	return slices.ContainsFunc(p.Steps, func(spec step.Spec) bool { return spec.Kind == kind })
}

// isReleased reports whether the policy lets the commit use the variables of a value.
func (s *session) isReleased(value string) bool {
	allowed := s.policy.Secrets(s.event())
	return !slices.ContainsFunc(extension.Variables(value), func(name string) bool { return !allowed.Allows(name) })
}
