package app

import (
	"maps"
	"regexp"
	"slices"

	"github.com/slipway-cd/slipway/internal/account"
	"github.com/slipway-cd/slipway/internal/fault"
)

// lacked is how hints of AWS's adapters name a missing right.
var lacked = regexp.MustCompile(`^add (\S+:\S+?)(?: on (\S+))? to the policy of the role$`)

// refused returns the statements that were missing, of all the errors that err joins, and
// what else is to be done.
func refused(err error) (account.Document, []string) {
	byResource, others := map[string][]string{}, []string{}
	for _, one := range fault.Split(err) {
		hint := fault.HintOf(one)
		m := lacked.FindStringSubmatch(hint)
		switch {
		case m == nil && hint != "" && !slices.Contains(others, hint):
			others = append(others, hint)
		case m == nil:
		default:
			on := m[2]
			if on == "" {
				on = "*"
			}
			if !slices.Contains(byResource[on], m[1]) {
				byResource[on] = append(byResource[on], m[1])
			}
		}
	}
	var d account.Document
	for _, on := range slices.Sorted(maps.Keys(byResource)) {
		slices.Sort(byResource[on])
		d.Statements = append(d.Statements, account.Statement{Actions: byResource[on], Resources: []string{on}})
	}
	return d, others
}
