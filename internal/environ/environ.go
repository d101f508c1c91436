// Package environ is the list of the variables that programs started by Slipway
// inherit: those of the repository above all, which are tests, training, evaluation
// and builds. It names every variable. A pattern such as GO.* would also match
// GOOGLE_CREDENTIALS, and whatever secret is invented next.
package environ

import (
	"slices"
	"strings"
)

// Inherited returns those of the variables ("NAME=value") that a program inherits.
// More are given by name.
func Inherited(all []string, more ...string) []string {
	var kept []string
	for _, kv := range all {
		if name, _, _ := strings.Cut(kv, "="); Inherits(name) || slices.Contains(more, name) {
			kept = append(kept, kv)
		}
	}
	return kept
}

// Inherits reports whether every program gets the variable.
func Inherits(name string) bool {
	_, ok := inherited[name]
	return ok
}

// inherited is what tools need to be found, to reach the network and to find their
// caches. Proxies and package indexes are among them, though their URLs may hold
// a password: without them a command fails, and the value is masked in what it prints.
var inherited = set(system, network, golang, python, uv, conda, accelerators, others)

func set(topics ...string) map[string]struct{} {
	names := map[string]struct{}{}
	for _, topic := range topics {
		for name := range strings.FieldsSeq(topic) {
			names[name] = struct{}{}
		}
	}
	return names
}
