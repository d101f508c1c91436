package plan

import (
	"github.com/slipway-cd/slipway/internal/config"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/step"
)

// Names of targets, as plans keep them.
const (
	LocalTarget      = "local"
	KubernetesTarget = "kubernetes"
)

// LocationOf is where an environment is: the target's name, and the place that it
// is to be bound to.
func LocationOf(e config.Environment) (string, delivery.Location) {
	k := e.Target.Kubernetes
	if k == nil {
		return LocalTarget, delivery.Location{}
	}
	return KubernetesTarget, delivery.Location{
		Kubeconfig: k.Kubeconfig, Context: k.Context, Namespace: k.Namespace, Registry: k.Registry, TakeOver: k.TakeOver,
	}
}

// addKubernetes adds what only a cluster needs.
func (pl *planner) addKubernetes(with *step.DeployParams, k config.Kubernetes) {
	d := pl.project.Deploy
	with.Target, with.Location = LocationOf(config.Environment{Target: config.Target{Kubernetes: &k}})
	with.Manifests, with.Values, with.Strategy = d.Manifests, d.Values, d.Strategy
	if pl.project.Model != nil {
		with.ModelDelivery = pl.project.Model.Deliver
	}
	if d.Canary != nil {
		with.Canary = canaryParams(*d.Canary)
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
