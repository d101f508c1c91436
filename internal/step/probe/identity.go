package probe

import (
	"cmp"
	"context"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// prover proves which release gave the responses that count, where they do not name
// it: by a proof before the first of them, and the same one after the last.
type prover struct {
	identify func(ctx context.Context, url string) (port.Proof, error)
	url      string
	before   *port.Proof
}

// begin reports whether responses may count from now on that do not name the release:
// the first proof is made. The response that led to it came before, and does not count.
func (p *prover) begin(ctx context.Context) (already bool, err error) {
	if p.before != nil {
		return true, nil
	}
	proof, err := p.prove(ctx)
	if err == nil {
		p.before = &proof
	}
	return false, err
}

// end reports whether the responses since begin are proved. If something changed
// meanwhile, they are not, and this proof is the first for those that follow.
func (p *prover) end(ctx context.Context) (bool, error) {
	proof, err := p.prove(ctx)
	if err != nil {
		p.before = nil
		return false, err
	}
	same := proof.State == p.before.State
	p.before = &proof
	return same, nil
}

func (p *prover) prove(ctx context.Context) (port.Proof, error) {
	if p.identify == nil {
		return port.Proof{}, errNoIdentifier
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	return p.identify(ctx, p.url)
}

// errNoIdentifier is the end for a service that names no release on a target that
// can't prove it either.
var errNoIdentifier = fault.New(fault.Unavailable, "this target can't tell which release responds")

// errChanging is the end for a service that never stayed the same for long enough.
var errChanging = fault.New(fault.Unavailable, "what takes the requests keeps changing")

// unprovenResult is the end of a check whose responses are healthy, but may come from
// another release.
func unprovenResult(w Expectation, cause error) (delivery.GateResult, error) {
	const unnamed = "healthy, but the response does not name the release, and which one responds is not proved"
	a := delivery.GateResult{Gate: "health", Verdict: delivery.Unavailable, Evidence: unnamed + ": " + cause.Error()}
	kind := fault.Unavailable
	if fault.Is(cause, fault.Failed) {
		kind, a.Verdict = fault.Failed, delivery.Failed
	}
	hint := cmp.Or(fault.HintOf(cause), "return the value of SLIPWAY_RELEASE as \"release\" at "+w.HealthPath)
	return a, fault.New(kind, "health of %s: %s", w.Release, unnamed).Cause(cause).Hint("%s", hint)
}
