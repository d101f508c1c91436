package rollout

import (
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/labels"
	"github.com/slipway-cd/slipway/internal/delivery"
)

// TestState_FollowsLatestSwitch: a Service that the current release lacks does not decide
// what receives the traffic, wherever it is in the list.
func TestState_FollowsLatestSwitch(t *testing.T) {
	service := func(name, release, fence string) *unstructured.Unstructured {
		s := &unstructured.Unstructured{Object: map[string]any{}}
		s.SetName(name)
		s.SetAnnotations(map[string]string{labels.Release: release, labels.Fence: fence})
		return s
	}
	for name, c := range map[string]struct {
		live     []*unstructured.Unstructured
		traffic  delivery.ReleaseID
		services int
	}{
		"one Service":           {[]*unstructured.Unstructured{service("api", "r-2", "5.100")}, "r-2", 1},
		"removed Service":       {[]*unstructured.Unstructured{service("api", "r-2", "5.100"), service("side", "r-1", "4.90")}, "r-2", 1},
		"removed Service first": {[]*unstructured.Unstructured{service("a-side", "r-1", "4.90"), service("api", "r-2", "5.100")}, "r-2", 1},
		"Service of a release that was rolled back": {[]*unstructured.Unstructured{service("a-side", "r-2", "5.100"), service("api", "r-1", "5.200")}, "r-1", 1},
		"two Services of one switch":                {[]*unstructured.Unstructured{service("api", "r-2", "5.100"), service("side", "r-2", "5.101")}, "r-2", 2},
		"no switch noted":                           {[]*unstructured.Unstructured{service("api", "r-1", "")}, "r-1", 1},
		"switch without a time":                     {[]*unstructured.Unstructured{service("api", "r-2", "5.100"), service("side", "r-1", "5")}, "r-2", 1},
	} {
		t.Run(name, func(t *testing.T) {
			var s State
			for _, svc := range c.live {
				s.addService(svc)
			}
			s.dropOldServices()
			if s.Traffic != c.traffic || len(s.Services) != c.services {
				t.Errorf("traffic to %s by %d Services, want %s by %d", s.Traffic, len(s.Services), c.traffic, c.services)
			}
		})
	}
}
