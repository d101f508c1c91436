package kubernetes

import (
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/slipway-cd/slipway/internal/delivery"
)

// TestLatestSwitch: a Service that the release with the traffic lacks does not
// tell what has the traffic, wherever it stands in the list.
func TestLatestSwitch(t *testing.T) {
	service := func(name, release, mark string) *unstructured.Unstructured {
		s := &unstructured.Unstructured{Object: map[string]any{}}
		s.SetName(name)
		s.SetAnnotations(map[string]string{releaseLabel: release, fenceMark: mark})
		return s
	}
	for name, c := range map[string]struct {
		live    []*unstructured.Unstructured
		traffic delivery.ReleaseID
		entries int
	}{
		"one":                              {[]*unstructured.Unstructured{service("api", "r-2", "5.100")}, "r-2", 1},
		"it left":                          {[]*unstructured.Unstructured{service("api", "r-2", "5.100"), service("side", "r-1", "4.90")}, "r-2", 1},
		"it left, and is first":            {[]*unstructured.Unstructured{service("a-side", "r-1", "4.90"), service("api", "r-2", "5.100")}, "r-2", 1},
		"it came with what was taken back": {[]*unstructured.Unstructured{service("a-side", "r-2", "5.100"), service("api", "r-1", "5.200")}, "r-1", 1},
		"two of one switch":                {[]*unstructured.Unstructured{service("api", "r-2", "5.100"), service("side", "r-2", "5.101")}, "r-2", 2},
		"never noted":                      {[]*unstructured.Unstructured{service("api", "r-1", "")}, "r-1", 1},
		"an older Slipway's":               {[]*unstructured.Unstructured{service("api", "r-2", "5.100"), service("side", "r-1", "5")}, "r-2", 1},
	} {
		t.Run(name, func(t *testing.T) {
			var s state
			for _, svc := range c.live {
				s.entry(svc)
			}
			s.own()
			if s.traffic != c.traffic || len(s.entries) != c.entries {
				t.Errorf("traffic %s by %d Services, want %s by %d", s.traffic, len(s.entries), c.traffic, c.entries)
			}
		})
	}
}
