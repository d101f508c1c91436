package render

import (
	"strings"

	"github.com/slipway-cd/slipway/internal/fault"
)

// dropTestHooks removes the chart's tests, and rejects all other hooks: they would
// have to run at times that Slipway has no step for.
func (l *loader) dropTestHooks(objects []object) ([]object, error) {
	var out []object
	for _, o := range objects {
		hook := o.annotation("helm.sh/hook")
		switch {
		case hook == "":
			out = append(out, o)
		case isTestHook(hook):
			l.notes = append(l.notes, o.displayName()+" is a chart test and is left out")
		default:
			return nil, fault.New(fault.Invalid, "%s is a Helm hook (%s), which Slipway does not run", o.displayName(), hook).Location(o.location).
				Hint("make it an ordinary Job or an init container, or switch it off in the chart's values")
		}
	}
	return out, nil
}

// isTestHook reports whether a hook runs on `helm test` only.
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
