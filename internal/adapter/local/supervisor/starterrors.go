//go:build linux

package supervisor

import (
	"slices"
	"strings"

	"github.com/slipway-cd/slipway/internal/fault"
)

// joinStartErrors returns the error of the environment that did not start; of several, one
// that names them all.
func joinStartErrors(errs map[string]error) error {
	var failed []string
	for key, err := range errs {
		if err != nil {
			failed = append(failed, key)
		}
	}
	slices.Sort(failed)
	switch len(failed) {
	case 0:
		return nil
	case 1:
		return errs[failed[0]]
	}
	var text []string
	for _, key := range failed {
		text = append(text, key+": "+errs[key].Error())
	}
	first := errs[failed[0]]
	return fault.New(fault.KindOf(first), "start %d environments: %s", len(failed), strings.Join(text, "; ")).Hint("%s", fault.HintOf(first))
}
