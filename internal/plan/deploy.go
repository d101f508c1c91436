package plan

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/slipway-cd/slipway/internal/config"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/step"
)

// What a service gets when the file does not say.
const (
	defaultHealth           = "/health"
	defaultDrain            = delivery.Duration(10 * time.Second)
	defaultVerifyTimeout    = delivery.Duration(time.Minute)
	defaultSuccessThreshold = 3
	defaultErrorRate        = 0.01
)

// deployParams says how the release of this project enters the environment.
func (pl *planner) deployParams() (step.DeployParams, error) {
	d := pl.project.Deploy
	with := pl.environmentParams()
	with.Workload = delivery.Workload{
		Replicas: pl.replicas(), Env: d.Env, Args: d.Args, CPU: d.CPU, Memory: int64(d.Memory),
		Health: orDefault(d.Health, defaultHealth), Ready: d.Ready, Drain: or(d.Drain, defaultDrain),
	}
	model, err := pl.pinnedModel()
	with.Model = model
	return with, err
}

// replicas is 0 where the manifests say how many there are.
func (pl *planner) replicas() int {
	d := pl.project.Deploy
	if pl.env.Target.Abilities.Manifests && len(d.Manifests) > 0 {
		return d.Replicas
	}
	return max(d.Replicas, 1)
}

// environmentParams is the part of it that does not depend on the release.
func (pl *planner) environmentParams() step.DeployParams {
	d := pl.project.Deploy
	with := step.DeployParams{
		Port: pl.env.Target.Port, SuccessThreshold: d.Healthy, Timeout: or(d.Within, defaultVerifyTimeout), Bake: pl.env.Bake,
		Watch: step.WatchThresholds{
			ErrorRate: d.Watch.ErrorRate, P95: d.Watch.P95,
			MinRequests: max(int64(d.Watch.MinRequests), 1), NoTraffic: orDefault(d.Watch.NoTraffic, "accept"),
		},
	}
	if with.SuccessThreshold == 0 {
		with.SuccessThreshold = defaultSuccessThreshold
	}
	if with.Watch.ErrorRate == 0 {
		with.Watch.ErrorRate = defaultErrorRate
	}
	with.Target, with.Location = LocationOf(pl.env)
	pl.addTargetSpecific(&with)
	with.Trust = TrustPolicy(pl.env, pl.facts.TrustFiles)
	for _, s := range d.Smoke {
		with.Checks = append(with.Checks, smokeCheck(s))
	}
	return with
}

func smokeCheck(s config.Smoke) step.Check {
	c := step.Check{Name: s.Name, Method: http.MethodGet, Path: s.Get, Status: s.Status, Expect: s.Expect}
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
	if c.Status == 0 {
		c.Status = http.StatusOK
	}
	return c
}

// pinnedModel resolves "the newest approved version" once, for a project that
// delivers a model without training it.
func (pl *planner) pinnedModel() (*delivery.ModelRef, error) {
	model := pl.project.Model
	if model == nil || model.Train != nil {
		return nil, nil
	}
	latest := pl.facts.LatestApproved
	if latest == nil || latest.Status != delivery.Approved || latest.Group != model.Group {
		return nil, fault.New(fault.NotFound, "model %s has no approved version", model.Group).
			Hint("see `slipway models`; approve a version with `slipway approve`, or add model.train to %s", config.FileName)
	}
	ref := latest.ModelRef
	return &ref, nil
}

func orDefault(s, otherwise string) string {
	if s != "" {
		return s
	}
	return otherwise
}
