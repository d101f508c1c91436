package engine

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/dbos-inc/dbos-transact-golang/dbos"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/step"
)

// undoRetries is how often an undo step is tried again: production is half
// changed until it succeeds.
const undoRetries = 4

// undoAll takes back every step that began, the last one first, each as a step of
// the journal. One that fails does not keep the others from being taken back.
func (x *execution) undoAll(ctx dbos.Context, nodes []*node, v workflowResult) ([]stepState, error) {
	if !v.needsUndo() {
		return nil, nil
	}
	outputs := map[string]json.RawMessage{}
	for _, n := range nodes {
		if len(n.end.Result.Output) > 0 {
			outputs[n.spec.Name] = n.end.Result.Output
		}
	}
	var undone []stepState
	for i, n := range begunNodes(nodes) {
		spec := step.Spec{
			Name: undoName(n.spec), Kind: n.spec.Undo, Params: n.spec.Params, Needs: []string{n.spec.Name},
			Retries: undoRetries, Action: step.ActionRun, Reason: "roll back " + n.spec.Name,
		}
		index := len(nodes) + i
		end, err := dbos.RunAsStep(ctx, func(ctx context.Context) (stepState, error) {
			if old, ok := x.undone(spec.Name); ok {
				return old, nil
			}
			r := x.request(spec, outputs)
			r.Cause, r.Cancelled, r.InfrastructureFailure = v.Cause, v.Outcome == delivery.OutcomeCancelled, v.OfPlace
			return x.runStep(ctx, stepRun{index: index, request: r, undo: true})
		}, dbos.WithStepName(spec.Name))
		if err != nil {
			return undone, err
		}
		if err := x.recordEnd(spec.Name, spec.Kind, index, end); err != nil {
			return undone, err
		}
		x.e.failpoint("recorded " + spec.Name)
		undone = append(undone, end)
	}
	return undone, nil
}

// undone returns how an undo step ended under an owner before this one; in records that
// are not shared the journal has it.
func (x *execution) undone(name string) (stepState, bool) {
	old, ok := x.known[name]
	if x.e.Owners == nil || !ok || old.Result == nil || old.Result.Outcome != delivery.OutcomeSucceeded && old.Result.Outcome != delivery.OutcomeSkipped {
		return stepState{}, false
	}
	return stepState{Result: *old.Result, Attempt: old.Attempt, Begun: old.Begun}, true
}

// begunNodes are the steps that must be taken back, the one that began last first. One
// that was skipped or came from the cache changed nothing.
func begunNodes(nodes []*node) []*node {
	var out []*node
	for _, n := range nodes {
		r := n.end.Result
		if n.spec.Undo == "" || n.end.Begun.IsZero() || r.Outcome == delivery.OutcomeSkipped || r.Cached {
			continue
		}
		out = append(out, n)
	}
	slices.SortStableFunc(out, func(a, b *node) int {
		if c := b.end.Begun.Compare(a.end.Begun); c != 0 {
			return c
		}
		return b.index - a.index
	})
	return out
}
