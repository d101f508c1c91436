package manifest

import (
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// ProgressDeadline returns the time in which a live Deployment has to make progress, or
// zero for the API's default. While it is held it has the deadline of the hold, and its
// own one is that of the set.
func (s *Set) ProgressDeadline(live *unstructured.Unstructured) time.Duration {
	if live == nil {
		return 0
	}
	d := live
	if s != nil && HeldFor(live) != "" {
		for _, workload := range s.Workloads {
			if workload.GetName() == live.GetName() {
				d = workload
			}
		}
	}
	seconds, _, _ := unstructured.NestedInt64(d.Object, "spec", "progressDeadlineSeconds")
	if seconds <= 0 || seconds >= holdProgressDeadline {
		return 0
	}
	return time.Duration(seconds) * time.Second
}
