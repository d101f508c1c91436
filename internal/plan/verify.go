package plan

import (
	"github.com/slipway-cd/slipway/internal/config"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/step"
)

// VerifyStep is the step that checks, outside of any run, whether the release is
// what is deployed in the environment. files is Facts.SmokeFiles.
func VerifyStep(p config.Project, env delivery.Environment, r delivery.ReleaseRecord, files map[string]string) (step.Spec, error) {
	e, err := p.Environment(env)
	if err != nil {
		return step.Spec{}, err
	}
	pl := planner{project: p.In(env), env: e, facts: Facts{SmokeFiles: files}}
	pl.verify("", r.ID)
	return pl.plan.Steps[0], nil
}
