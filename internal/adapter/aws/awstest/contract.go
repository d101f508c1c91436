package awstest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Contract says which operations were asked for so far, and how many requests of each the
// models took, in a line that cmd/awstable adds up over all tests.
func (c *Cloud) Contract() string {
	counts := map[string]int{}
	for _, call := range c.Calls() {
		if call.Invalid == "" {
			counts[call.Service+"."+call.Operation]++
		}
	}
	var all strings.Builder
	all.WriteString("awstable: calls")
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		fmt.Fprintf(&all, " %s=%d", name, counts[name])
	}
	return all.String()
}
