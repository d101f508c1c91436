package app

import (
	"testing"

	"github.com/slipway-cd/slipway/internal/port"
)

// TestHealthOf_Replicas: replicas of the release that serves count, but for those that are
// on their way out: after a rollback its own earlier ones may still drain.
func TestHealthOf_Replicas(t *testing.T) {
	for name, c := range map[string]struct {
		states []port.ReplicaState // of replicas of the release that serves
		want   string
	}{
		"all ready":           {[]port.ReplicaState{"ready", "ready"}, "healthy"},
		"one starts":          {[]port.ReplicaState{"ready", "starting"}, "degraded"},
		"an earlier one goes": {[]port.ReplicaState{"ready", "ready", "draining"}, "healthy"},
		"only one that goes":  {[]port.ReplicaState{"draining"}, "down"},
		"none ready":          {[]port.ReplicaState{"backoff", "starting"}, "down"},
		"none":                {nil, "down"},
	} {
		t.Run(name, func(t *testing.T) {
			seen := port.Observation{Release: "r-1", Replicas: []port.Replica{{Name: "other", Release: "r-0", State: "starting"}}}
			for _, s := range c.states {
				seen.Replicas = append(seen.Replicas, port.Replica{Release: "r-1", State: s})
			}
			if got := healthOf(&Status{Release: "r-1"}, seen); got != c.want {
				t.Errorf("health is %s, want %s", got, c.want)
			}
		})
	}
}
