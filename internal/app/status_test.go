package app

import (
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
