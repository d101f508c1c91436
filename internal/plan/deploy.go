package plan

import (
	"cmp"
	"encoding/json"
	"net/http"
	"time"

	"github.com/slipway-cd/slipway/internal/config"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/step"
)

// rollout plans deploying, verifying and watching the release.
func (pl *planner) rollout(needs []string, with step.DeployParams) {
	with.Alarms = pl.alarmParams()
	why := "nothing is deployed in " + string(pl.plan.Environment)
	if pl.plan.Replaces != "" {
		why = "replaces " + string(pl.plan.Replaces)
	}
	if with.Release != "" && with.Release == pl.plan.Replaces {
		why = "already deployed"
	}
	pl.add(step.Spec{
		Name: deployStep, Kind: step.Deploy, Needs: needs, Undo: step.Rollback, Reason: why,
		Timeout: deployTimeout + with.Workload.Drain + totalBake(with) + alarmsWithin(with.Alarms),
	}, with)
	pl.verify(deployStep, with.Release)
	watch := pl.watchParams()
	why = "monitors production for " + watch.Bake.String() + ", then accepts the release"
	if watch.Bake == 0 {
		why = "no bake time; accepts the release"
	}
	why += alarmReason(watch.Alarms)
	if pl.holds() {
		why += "; one that fails keeps the traffic (on_failure: hold)"
	}
	pl.add(step.Spec{Name: watchStep, Kind: step.Watch, Needs: []string{verifyStep}, Timeout: max(watch.Bake, alarmsWithin(watch.Alarms)) + gracePeriod, Reason: why}, watch)
}

// verify plans the checks of what a step has deployed: the named release, or the
// one that the step made.
func (pl *planner) verify(after string, release delivery.ReleaseID) {
	params := step.VerifyParams{RolloutParams: pl.rolloutParams(), ProbeParams: pl.probeParams(), Release: release}
	pl.add(step.Spec{
		Name: verifyStep, Kind: step.Verify, Needs: []string{after}, Timeout: params.Timeout + gracePeriod,
		Reason: "checks that the release responds with its own identity",
	}, params)
}

// Defaults of a service.
const (
	defaultHealth           = "/health"
	defaultDrain            = delivery.Duration(10 * time.Second)
	defaultVerifyTimeout    = delivery.Duration(time.Minute)
	defaultSuccessThreshold = 3
	defaultErrorRate        = 0.01
)

// deployParams configures how the release of this project is deployed, with the
// model that the plan pins, if any.
func (pl *planner) deployParams(model *delivery.ModelRef) step.DeployParams {
	d := pl.project.Deploy
	with := pl.environmentParams()
	with.Workload = delivery.Workload{
		Replicas: pl.replicas(), Env: d.Env, Args: d.Args, CPU: d.CPU, Memory: int64(d.Memory),
		Health: cmp.Or(d.Health, defaultHealth), Ready: d.Ready, Drain: cmp.Or(d.Drain, defaultDrain),
		Port: servicePort(d.Port), Writable: d.ReadOnly != nil && !*d.ReadOnly,
	}
	with.Model = model
	pl.digestConfiguration(&with)
	return with
}

// servicePort is the port in a workload: in the file, 0 means any.
func servicePort(set *int) int {
	if set != nil && *set == 0 {
		return delivery.AnyPort
	}
	if set != nil {
		return *set
	}
	return 0
}

// replicas is 0 if the manifests set the number.
func (pl *planner) replicas() int {
	d := pl.project.Deploy
	if pl.env.Target.Abilities.Manifests && len(d.Manifests) > 0 {
		return d.Replicas
	}
	return max(d.Replicas, 1)
}

// environmentParams is the part of the parameters that does not depend on the
// release.
func (pl *planner) environmentParams() step.DeployParams {
	params := step.DeployParams{
		RolloutParams: pl.rolloutParams(), ProbeParams: pl.probeParams(), Overrides: pl.overrides(),
		Trust: TrustPolicy(pl.env, pl.facts.TrustFiles),
	}
	pl.addTargetSpecific(&params)
	return params
}

// overrides are what the environment changes in the configuration of the release. Its
// own manifests set the number of replicas unless the file does.
func (pl *planner) overrides() delivery.Overrides {
	o := pl.env.Overrides()
	if len(o.Manifests) > 0 && o.Replicas == nil && pl.project.Deploy.Replicas == 0 {
		o.Replicas = new(int)
	}
	return o
}

// rolloutParams configure where the environment is deployed, and how releases are
// rolled out there.
func (pl *planner) rolloutParams() step.RolloutParams {
	params := step.RolloutParams{Port: pl.env.Target.Port, Timeout: cmp.Or(pl.project.Deploy.Within, defaultVerifyTimeout)}
	params.Target, params.Location = LocationOf(pl.env)
	if pl.env.Target.Abilities.Strategies {
		params.Strategy = pl.project.Deploy.Strategy
	}
	if pl.holds() {
		params.OnFailure = step.HoldOnFailure
	}
	return params
}

// holds reports whether a release that fails keeps the traffic.
func (pl *planner) holds() bool { return pl.project.Deploy.OnFailure == step.HoldOnFailure }

func (pl *planner) probeParams() step.ProbeParams {
	d := pl.project.Deploy
	params := step.ProbeParams{SuccessThreshold: d.Healthy}
	if params.SuccessThreshold == 0 {
		params.SuccessThreshold = defaultSuccessThreshold
	}
	for _, s := range d.Smoke {
		params.Checks = append(params.Checks, smokeCheck(s, pl.facts.SmokeFiles))
	}
	return params
}

func (pl *planner) watchParams() step.WatchParams {
	w := pl.project.Deploy.Watch
	params := step.WatchParams{
		RolloutParams: pl.rolloutParams(), Bake: pl.env.Bake, Alarms: pl.alarmParams(),
		Thresholds: step.WatchThresholds{
			ErrorRate: w.ErrorRate, P95: w.P95,
			MinRequests: max(int64(w.MinRequests), 1), NoTraffic: cmp.Or(w.NoTraffic, step.AcceptNoTraffic),
			Restarts: w.Restarts, Unready: w.Unready,
		},
	}
	if params.Thresholds.ErrorRate == 0 {
		params.Thresholds.ErrorRate = defaultErrorRate
	}
	return params
}

// smokeCheck pins the content of the request's file, which is in files.
func smokeCheck(s config.Smoke, files map[string]string) step.Check {
	if s.ModelOpened {
		return step.Check{Name: s.Name, ModelOpened: true}
	}
	c := step.Check{Name: s.Name, Method: http.MethodGet, Path: s.Get, Headers: s.Headers, Status: s.Status, Expect: s.Expect}
	switch {
	case s.Post != "":
		c.Method, c.Path = http.MethodPost, s.Post
	case s.Put != "":
		c.Method, c.Path = http.MethodPut, s.Put
	}
	if s.JSON != nil {
		if body, err := json.Marshal(s.JSON); err == nil { // it was read from YAML: always JSON
			c.JSON = string(body)
		}
	}
	if s.Body != "" {
		c.Body = []byte(s.Body)
	}
	if s.File != "" {
		c.File, c.Body = s.File, []byte(files[s.File])
	}
	if c.Status == 0 {
		c.Status = http.StatusOK
	}
	return c
}

// SmokeFiles are the files that the smoke checks of an environment send.
func SmokeFiles(p config.Project, env delivery.Environment) []string {
	var names []string
	for _, s := range p.In(env).Deploy.Smoke {
		if s.File != "" {
			names = append(names, s.File)
		}
	}
	return names
}
