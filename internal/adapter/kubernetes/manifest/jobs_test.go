package manifest

import (
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

func TestSet_JobsToRun(t *testing.T) {
	for _, c := range []struct {
		name                      string
		annotations               map[string]string
		onEmpty, onUpdate, onBack bool
	}{
		{"plain", nil, true, true, false},
		{"on rollback", map[string]string{"slipway.dev/on-rollback": "run"}, true, true, true},
		{"pre-install", map[string]string{"slipway.dev/helm-hook": "pre-install"}, true, false, false},
		{"pre-upgrade", map[string]string{"slipway.dev/helm-hook": "pre-upgrade"}, false, true, false},
		{"both", map[string]string{"slipway.dev/helm-hook": "pre-install,pre-upgrade"}, true, true, false},
		{"pre-rollback", map[string]string{"slipway.dev/helm-hook": "pre-rollback", "slipway.dev/on-rollback": "run"}, false, false, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			job := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "batch/v1", "kind": "Job"}}
			job.SetAnnotations(c.annotations)
			s := &Set{Jobs: []*unstructured.Unstructured{job}}
			for when, want := range map[string]bool{"empty": c.onEmpty, "update": c.onUpdate, "back": c.onBack} {
				if got := len(s.JobsToRun(when == "empty", when == "back")) == 1; got != want {
					t.Errorf("on %s it runs: %t, want %t", when, got, want)
				}
			}
		})
	}
}
