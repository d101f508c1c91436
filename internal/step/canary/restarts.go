package canary

import (
	"cmp"
	"fmt"

	"github.com/slipway-cd/slipway/internal/port"
)

// restarts counts how often replicas of the candidate were restarted in a step: what
// was sent to them meanwhile is in no counter.
type restarts struct {
	known  map[string]int // by replica
	counts int
}

// note takes an observation into account and returns the last restart that is of the
// candidate's own doing, or "". What was before the first observation does not count.
func (r *restarts) note(replicas []port.Replica) (cause string) {
	first := r.known == nil
	if first {
		r.known = map[string]int{}
	}
	for _, replica := range replicas {
		before := r.known[replica.Name]
		r.known[replica.Name] = max(before, replica.Restarts)
		if first || replica.Restarts <= before || replica.LastEnd != nil && replica.LastEnd.Infrastructure {
			continue
		}
		r.counts += replica.Restarts - before
		cause = replica.Cause
		if replica.LastEnd != nil {
			cause = cmp.Or(replica.LastEnd.Cause, cause)
		}
		cause = fmt.Sprintf("%s restarted: %s", replica.Name, cmp.Or(cause, "its end was not reported"))
	}
	return cause
}
