package port

import (
	"maps"
	"slices"
	"strings"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
)

// Targets are the deployment targets, by kind.
type Targets map[string]Target

// Find returns the target of that kind, bound to the location. An unknown kind is
// fault.Invalid, and names those that there are.
func (t Targets) Find(kind string, at delivery.Location) (Target, error) {
	found, ok := t[kind]
	if !ok {
		known := strings.Join(slices.Sorted(maps.Keys(t)), ", ")
		return nil, fault.New(fault.Invalid, "unknown target %q", kind).Hint("known: %s", known)
	}
	if l, many := found.(Locator); many {
		return l.For(at)
	}
	return found, nil
}
