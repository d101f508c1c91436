package render

import (
	"strings"

	"github.com/slipway-cd/slipway/internal/fault"
)

// withoutHooks leaves tests of the chart out, and refuses every other hook: it
// would run at a time that Slipway does not know.
func (l *loader) withoutHooks(objects []object) ([]object, error) {
	var out []object
	for _, o := range objects {
		hook := o.annotation("helm.sh/hook")
		switch {
		case hook == "":
			out = append(out, o)
		case test(hook):
			l.notes = append(l.notes, o.title()+" is a test of the chart and left out")
		default:
			return nil, fault.New(fault.Invalid, "%s is a Helm hook (%s), and Slipway runs none", o.title(), hook).Location(o.place).
				Hint("make it an ordinary Job or an init container, or switch it off in the chart's values")
		}
	}
	return out, nil
}

// test tells whether a hook runs for `helm test` alone.
func test(hook string) bool {
	for _, event := range strings.Split(hook, ",") {
		switch strings.ToLower(strings.TrimSpace(event)) {
		case "test", "test-success", "test-failure":
		default:
			return false
		}
	}
	return true
}
