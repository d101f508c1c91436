package app

import (
	"context"
	"fmt"
	"slices"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// withoutForeign returns what may be imported of a history, and reports what is pending.
// What no trusted key has signed is imported, marked, only if nothing trusted says what
// serves, and if what it says has the traffic: then a failed deployment returns to it.
// Everything else may have been made up by whoever writes there.
func (s *session) withoutForeign(ctx context.Context, env delivery.Environment, target port.Target, h port.History) (port.History, error) {
	pending := unsignedRecords(h)
	if s.pending == nil {
		s.pending = map[delivery.Environment]int{}
	}
	if s.pending[env] = pending; pending == 0 {
		return h, nil
	}
	s.notice(env, pendingNote(env, pending))
	serves, err := s.servesUnsigned(ctx, env, target, h)
	if err != nil || serves {
		return h, err
	}
	h.Deployments = slices.DeleteFunc(slices.Clone(h.Deployments), func(d delivery.Deployment) bool { return d.Unsigned })
	h.Models = slices.DeleteFunc(slices.Clone(h.Models), func(m delivery.ModelVersion) bool { return m.Unsigned })
	return h, nil
}

// servesUnsigned reports whether what has the traffic is known from an unsigned record
// only.
func (s *session) servesUnsigned(ctx context.Context, env delivery.Environment, target port.Target, h port.History) (bool, error) {
	i := slices.IndexFunc(h.Deployments, func(d delivery.Deployment) bool { return d.State == delivery.Serving })
	signed := slices.ContainsFunc(h.Deployments, func(d delivery.Deployment) bool { return d.State == delivery.Serving && !d.Unsigned })
	if i < 0 || signed {
		return false, nil
	}
	observed, err := target.Observe(ctx, s.project.Service, env)
	if fault.Is(err, fault.Unavailable) {
		return false, nil
	}
	return observed.Release == h.Deployments[i].Instance(), err
}

// unsignedRecords counts what no trusted key has signed.
func unsignedRecords(h port.History) (n int) {
	for _, d := range h.Deployments {
		n += count(d.Unsigned)
	}
	for _, r := range h.Releases {
		n += count(r.Unsigned) + count(r.Quarantined != nil && r.Quarantined.Unsigned)
	}
	for _, m := range h.Models {
		n += count(m.Unsigned)
	}
	return n
}

func count(yes bool) int {
	if yes {
		return 1
	}
	return 0
}

func pendingNote(env delivery.Environment, records int) string {
	return fmt.Sprintf("pending: no trusted key has signed %d records of the history of %s; see `slipway history show --env %s`", records, env, env)
}
