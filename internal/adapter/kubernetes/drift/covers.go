package drift

import (
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/managedfields"
)

// Covers reports whether a live object has all that is recorded, and nothing that an
// editor owns: then it need not be compared by a dry run. Values that only the
// API server can compare, such as "0.5" with "500m", are not covered.
func Covers(live, recorded *unstructured.Unstructured) bool {
	return !managedfields.IsEdited(live) && covers(live.Object, recorded.Object)
}

func covers(live, recorded any) bool {
	switch want := recorded.(type) {
	case map[string]any:
		have, ok := live.(map[string]any)
		for key, value := range want {
			if !ok || !covers(have[key], value) {
				return false
			}
		}
		return ok
	case []any:
		have, ok := live.([]any)
		if !ok || len(have) < len(want) {
			return false
		}
		for i, item := range want {
			if !covers(counterpart(have, item, i), item) {
				return false
			}
		}
		return true
	}
	return equality.Semantic.DeepEqual(live, recorded)
}

// counterpart returns the item of a list that has the name of another one, or else its
// place.
func counterpart(list []any, item any, i int) any {
	m, _ := item.(map[string]any)
	name, named := m["name"]
	if !named {
		return list[i]
	}
	for _, other := range list {
		if o, ok := other.(map[string]any); ok && o["name"] == name {
			return o
		}
	}
	return nil
}
