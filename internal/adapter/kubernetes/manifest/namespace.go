package manifest

import (
	"slices"

	"github.com/slipway-cd/slipway/internal/fault"
)

// checkNamespace rejects workloads and Services that name another namespace than the
// target's: they would run where nothing waits for them, and where users don't reach them.
func (s *Set) checkNamespace(target string) error {
	for _, o := range slices.Concat(s.Workloads, s.Services) {
		if n := o.GetNamespace(); n != target && n != "" {
			return fault.New(fault.Invalid, "%s %s: the manifest names namespace %s, but the target's namespace is %s", o.GetKind(), o.GetName(), n, target).
				Hint("remove metadata.namespace from the manifest, or correct the namespace of the environment's target")
		}
	}
	return nil
}
