package plan

import (
	"github.com/slipway-cd/slipway/internal/config"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/step"
)

// LocationOf is where an environment is deployed: the kind of its target, and the
// location that only the target reads.
func LocationOf(e config.Environment) (target string, l delivery.Location) {
	return string(e.Target.Kind), e.Target.Location
}

// addTargetSpecific adds what only some targets read.
func (pl *planner) addTargetSpecific(with *step.DeployParams) {
	d, able := pl.project.Deploy, pl.env.Target.Abilities
	if able.Manifests {
		with.Manifests, with.Values = d.Manifests, d.Values
	}
	if able.ModelImages && pl.project.Model != nil {
		with.ModelDelivery = pl.project.Model.Deliver
	}
	if able.Canary && d.Canary != nil {
		with.Canary = canaryParams(*d.Canary)
		with.Canary.Restarts = d.Watch.Restarts
	}
}

func canaryParams(c config.Canary) *step.CanaryParams {
	out := &step.CanaryParams{
		MinRequests: int64(c.MinRequests), NoTraffic: c.NoTraffic,
		ErrorMargin: c.ErrorMargin, LatencyMargin: c.LatencyMargin, Prometheus: c.Prometheus,
	}
	for _, s := range c.Steps {
		out.Steps = append(out.Steps, step.CanaryStep{Weight: s.Weight, Bake: s.Bake})
	}
	for _, q := range c.Queries {
		out.Queries = append(out.Queries, step.QueryParams{Name: q.Name, Query: q.Query, Min: q.Min, Max: q.Max})
	}
	return out
}

// totalBake is how long the canary's steps take together.
func totalBake(with step.DeployParams) delivery.Duration {
	var all delivery.Duration
	if with.Canary != nil {
		for _, s := range with.Canary.Steps {
			all += s.Bake
		}
	}
	return all
}
