package manifest

import (
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/labels"
)

// JobsToRun returns the Jobs that precede the release's pods: in an environment that is
// empty, on an update, or when the release comes back. Helm's hooks run when Helm would
// run them. A rollback runs only those that are annotated for it: a migration that is
// run again would not lead back.
func (s *Set) JobsToRun(empty, rollback bool) []*unstructured.Unstructured {
	var out []*unstructured.Unstructured
	for _, o := range s.Jobs {
		annotations := o.GetAnnotations()
		hook, run := annotations[labels.HelmHook], true
		switch {
		case rollback:
			run = annotations[labels.OnRollback] == labels.RunOnRollback
		case hook != "" && empty:
			run = strings.Contains(hook, "pre-install")
		case hook != "":
			run = strings.Contains(hook, "pre-upgrade")
		}
		if run {
			out = append(out, o)
		}
	}
	return out
}
