package app

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
)

// Only replicas of the deployed release count, except for those that are draining: after
// a rollback its own earlier ones may still drain.
func TestHealthOf_Replicas(t *testing.T) {
	for name, c := range map[string]struct {
		states []port.ReplicaState // of replicas of the deployed release
		want   delivery.Health
	}{
		"all ready":             {[]port.ReplicaState{"ready", "ready"}, delivery.Healthy},
		"one starting":          {[]port.ReplicaState{"ready", "starting"}, delivery.Degraded},
		"an earlier one drains": {[]port.ReplicaState{"ready", "ready", "draining"}, delivery.Healthy},
		"only one that drains":  {[]port.ReplicaState{"draining"}, delivery.Down},
		"none ready":            {[]port.ReplicaState{"backoff", "starting"}, delivery.Down},
		"none":                  {nil, delivery.Down},
	} {
		t.Run(name, func(t *testing.T) {
			observed := port.Observation{Release: "r-1", Replicas: []port.Replica{{Name: "other", Release: "r-0", State: "starting"}}}
			for _, s := range c.states {
				observed.Replicas = append(observed.Replicas, port.Replica{Release: "r-1", State: s})
			}
			if got := healthOf(&Status{Release: "r-1"}, observed); got != c.want {
				t.Errorf("health = %s, want %s", got, c.want)
			}
		})
	}
}

// A release that runs with the environment's overrides has its own name on the target.
func TestHealthOf_Instance(t *testing.T) {
	const release, instance = delivery.ReleaseID("r-0123456789ab"), delivery.ReleaseID("r-0123456789ab-0a1b2c")
	entering := &delivery.Deployment{Release: release, Config: &delivery.Configuration{Workload: delivery.Workload{Replicas: 3}}}
	for name, c := range map[string]struct {
		status   Status
		observed delivery.ReleaseID
		want     delivery.Health
	}{
		"with its overrides":    {Status{Release: release, Instance: instance}, instance, delivery.Healthy},
		"without its overrides": {Status{Release: release, Instance: instance}, release, delivery.Degraded},
		"with others":           {Status{Release: release}, instance, delivery.Degraded},
		"entering":              {Status{Release: release, InProgress: entering}, entering.Instance(), delivery.Healthy},
	} {
		t.Run(name, func(t *testing.T) {
			observed := port.Observation{Release: c.observed, Replicas: []port.Replica{{Release: c.observed, State: port.ReplicaReady}}}
			if got := healthOf(&c.status, observed); got != c.want || (got == delivery.Degraded) != (len(c.status.Notes) == 1) {
				t.Errorf("health = %s with the notes %q, want %s", got, c.status.Notes, c.want)
			}
		})
	}
}

// The name of who let a deployment in is for people; scripts get the actor, too.
func TestFillServing_Actor(t *testing.T) {
	m := newMachine(t, newSharedTarget())
	m.deps.Reference = func(delivery.Image) string { return "" }
	release := m.recordDeployment("20260301-010000-aaaa", "1", 1, delivery.Serving)
	for _, want := range []delivery.Actor{{}, {Issuer: "https://ci.example", Subject: "7", Name: "ann", Means: delivery.MeansCI}} {
		if !want.IsZero() {
			d, err := m.deps.Deployments.Begin(t.Context(), delivery.Deployment{Environment: "prod", Release: release, Run: "20260301-020000-bbbb", By: "ann", Actor: want})
			m.must(err)
			m.must(m.deps.Deployments.Accept(t.Context(), d.ID, at(2)))
		}
		st := Status{Environment: "prod"}
		m.must(m.fillServing(t.Context(), &st))
		if st.By != "ann" || st.Actor != want {
			t.Errorf("by %q, actor %+v, want ann, %+v", st.By, st.Actor, want)
		}
		raw, err := json.Marshal(st)
		m.must(err)
		if got := strings.Contains(string(raw), `"by":"ann","actor":{"issuer":"https://ci.example","subject":"7","name":"ann","means":"ci"}`); got == want.IsZero() {
			t.Errorf("status --json = %s, with an actor: %v", raw, got)
		}
	}
}
