package render

import (
	"strings"

	"github.com/slipway-cd/slipway/internal/fault"
)

// dropTestHooks leaves tests of the chart out, and refuses every other hook: it
// would run at a time that Slipway does not know.
func (l *loader) dropTestHooks(objects []object) ([]object, error) {
	var out []object
	for _, o := range objects {
		hook := o.annotation("helm.sh/hook")
		switch {
		case hook == "":
			out = append(out, o)
		case isTestHook(hook):
			l.notes = append(l.notes, o.displayName()+" is a test of the chart and left out")
		default:
			return nil, fault.New(fault.Invalid, "%s is a Helm hook (%s), and Slipway runs none", o.displayName(), hook).Location(o.location).
				Hint("make it an ordinary Job or an init container, or switch it off in the chart's values")
		}
	}
	return out, nil
}

// isTestHook tells whether a hook runs for `helm test` alone.
func isTestHook(hook string) bool {
	for _, event := range strings.Split(hook, ",") {
		switch strings.ToLower(strings.TrimSpace(event)) {
		case "test", "test-success", "test-failure":
		default:
			return false
		}
	}
	return true
}
