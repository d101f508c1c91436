// Package anchor sees to it that an environment has one log: the target remembers which
// one its records are in, and a run with another one, or with none, deploys nothing.
package anchor

import (
	"context"
	"fmt"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// Place is an environment, where it is deployed to.
type Place struct {
	Target      port.Target
	Service     string
	Environment delivery.Environment
}

// Read returns the anchor; the zero one without one, or for a target that keeps none.
func (p Place) Read(ctx context.Context) (port.Anchor, error) {
	keeper, ok := p.Target.(port.LogAnchor)
	if !ok {
		return port.Anchor{}, nil
	}
	a, err := keeper.Anchor(ctx, p.Service, p.Environment)
	if err != nil {
		return a, fmt.Errorf("read which shared state %s belongs to: %w", p.Environment, err)
	}
	return a, nil
}

// Check returns the anchor if the environment belongs to the log, or to none yet; log is
// nil where the records are those of one machine. Otherwise it is fault.Conflict:
// deploying would pass over quarantines and approvals.
func (p Place) Check(ctx context.Context, log port.RecordLog) (port.Anchor, error) {
	a, err := p.Read(ctx)
	if err != nil || a.Mark.Log == "" {
		return a, err
	}
	if log == nil {
		return a, fault.New(fault.Conflict, "%s belongs to the shared state %s, and this run has none", p.Environment, a.Mark.Log).
			Hint("name that state: with state: in slipway.yaml, --state or SLIPWAY_STATE; to keep the records of %[1]s on this machine from now on: `slipway state adopt --env %[1]s --why REASON`", p.Environment)
	}
	newest, err := log.Newest(ctx)
	if err != nil {
		return a, err
	}
	if newest.Log == "" {
		return a, fault.New(fault.Conflict, "%s belongs to the shared state %s, and the one that this run uses is empty", p.Environment, a.Mark.Log).
			Hint("name the state that it was deployed from; if it is to move to this one: `slipway state adopt --env %s --why REASON`", p.Environment)
	}
	if newest.Log != a.Mark.Log {
		return a, fault.New(fault.Conflict, "%s belongs to the shared state %s, and this run uses %s", p.Environment, a.Mark.Log, newest.Log).
			Hint("name the state that it was deployed from; if it is to move to this one: `slipway state adopt --env %s --why REASON`", p.Environment)
	}
	there, err := log.Contains(ctx, a.Mark)
	if err != nil {
		return a, fmt.Errorf("check that the shared state is the one that %s was deployed from: %w", p.Environment, err)
	}
	if !there {
		return a, fault.New(fault.Conflict, "the shared state %s was rolled back or replaced: %s was deployed after its entry %d, which it does not have as it was", a.Mark.Log, p.Environment, a.Mark.Entry).
			Hint("restore what is missing from older versions of the objects; to go on without it: `slipway state adopt --env %s --why REASON`", p.Environment)
	}
	return a, nil
}

// Advance moves the anchor to the newest entry of the log, once a deployment was
// accepted; the first time, the environment belongs to the log from then on. Without a
// log it does nothing.
func (p Place) Advance(ctx context.Context, log port.RecordLog) error {
	keeper, ok := p.Target.(port.LogAnchor)
	if !ok || log == nil {
		return nil
	}
	a, err := p.Check(ctx, log)
	if err != nil {
		return err
	}
	before := a.Mark
	if a.Mark, err = log.Newest(ctx); err != nil {
		return err
	}
	if a.Mark.Entry <= before.Entry {
		return nil
	}
	return p.set(ctx, keeper, before, a)
}

// Adopt makes the environment belong to the log, whatever it belonged to before; nil: to
// none. It returns the new anchor, which tells who decided that. A target that keeps no
// anchor is fault.Invalid; an environment that belongs to the log already is left alone.
func (p Place) Adopt(ctx context.Context, log port.RecordLog, decision port.Adoption) (a port.Anchor, err error) {
	keeper, ok := p.Target.(port.LogAnchor)
	if !ok {
		return a, fault.New(fault.Invalid, "the target of %s does not remember which shared state it belongs to", p.Environment).
			Hint("a run there uses the state that it is given")
	}
	if a, err = p.Read(ctx); err != nil {
		return a, err
	}
	if log == nil && a.Mark.Log == "" {
		return a, nil
	}
	if a.Mark.Log != "" {
		if _, err := p.Check(ctx, log); !fault.Is(err, fault.Conflict) {
			return a, err // nil: it does
		}
	}
	decision.From = a.Mark
	a = port.Anchor{Adopted: &decision, Unknown: a.Unknown}
	if log != nil {
		if a.Mark, err = log.Newest(ctx); err != nil {
			return a, err
		}
	}
	return a, p.set(ctx, keeper, decision.From, a)
}

func (p Place) set(ctx context.Context, keeper port.LogAnchor, before port.LogMark, a port.Anchor) error {
	if err := keeper.SetAnchor(ctx, p.Service, p.Environment, before, a); err != nil {
		return fmt.Errorf("record which shared state %s belongs to: %w", p.Environment, err)
	}
	return nil
}
