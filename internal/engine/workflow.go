package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/dbos-inc/dbos-transact-golang/dbos"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/event"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/record"
	"github.com/slipway-cd/slipway/internal/step"
)

// stepState is what the journal keeps of a step: once it is there, the step never
// runs again in this turn. Add fields, never rename them.
type stepState struct {
	Result    step.Result `json:"result"`
	Attempt   int         `json:"attempt"`
	Begun     time.Time   `json:"begun,omitzero"`      // zero: it never started in this run
	Unmet     string      `json:"unmet,omitempty"`     // why it did not run; nor do those that need it
	Cancelled string      `json:"cancelled,omitempty"` // who stopped the run before it ended
	Later     bool        `json:"later,omitempty"`     // it waits for a step that waits for a person
}

// satisfies reports whether steps that need this one may run.
func (e stepState) satisfies() bool {
	ok := e.Result.Outcome == delivery.OutcomeSucceeded || e.Result.Outcome == delivery.OutcomeSkipped
	return ok && e.Unmet == "" && !e.Later
}

// node is a step of the plan in this turn.
type node struct {
	spec  step.Spec
	index int
	needs []*node
	done  chan struct{} // closed when end is known and in the journal
	end   stepState
}

// newNodes makes the nodes. What earlier turns completed is done from the start.
func newNodes(s workflowInput) []*node {
	nodes := make([]*node, len(s.Plan.Steps))
	byName := make(map[string]*node, len(nodes))
	for i, spec := range s.Plan.Steps {
		n := &node{spec: spec, index: i, done: make(chan struct{})}
		for _, need := range spec.Needs {
			n.needs = append(n.needs, byName[need])
		}
		if end, ok := s.Done[spec.Name]; ok {
			n.end = end
			close(n.done)
		}
		nodes[i], byName[spec.Name] = n, n
	}
	return nodes
}

// workflow runs a plan. DBOS calls it again after a crash: it must ask for the
// same steps in the same order, whatever happened the first time. So all steps
// are asked for up front, in plan order, and each waits for those it needs.
func (x *execution) workflow(ctx dbos.Context, s workflowInput) (v workflowResult, err error) {
	defer context.AfterFunc(ctx, func() { x.canceller.stop(ErrSuspend) })()
	defer func() {
		if bug := recover(); bug != nil {
			v, err = x.suspend(ctx, fault.New(fault.Internal, "the plan interpreter panicked: %v", bug).
				Hint("this is a bug in Slipway: please report it"))
		}
	}()
	if s.Plan.Run != x.run.ID {
		return x.suspend(ctx, fmt.Errorf("the journal gave run %s to the process of run %s", s.Plan.Run, x.run.ID))
	}
	nodes := newNodes(s)
	for _, n := range nodes {
		if _, done := s.Done[n.spec.Name]; done {
			continue
		}
		out, err := dbos.Go(ctx, func(ctx context.Context) (stepState, error) { return x.runNode(ctx, n) }, dbos.WithStepName(n.spec.Name))
		if err != nil {
			return x.suspend(ctx, err)
		}
		go x.collect(n, out)
	}
	for _, n := range nodes {
		select {
		case <-n.done:
		case <-ctx.Done():
			return workflowResult{}, context.Cause(ctx)
		}
	}
	v = resultOf(s.Plan, nodes)
	undone, err := x.undoAll(ctx, nodes, v)
	if err != nil {
		return x.suspend(ctx, err)
	}
	// Once the journal has the turn's end, it does not tell of the steps again: the
	// records must have them before.
	if err := x.records.flush(x.base); err != nil {
		return x.suspend(ctx, err)
	}
	close(x.completed)
	return v.afterUndo(undone), nil
}

// suspend leaves the turn as it is in the journal, for a resume: it returns only
// when the journal is closed.
func (x *execution) suspend(ctx context.Context, err error) (workflowResult, error) {
	x.fail(x.journalError(err))
	<-ctx.Done()
	return workflowResult{}, context.Cause(ctx)
}

// journalError explains why the journal can't be kept. One that does not fit to the
// plan never will: the run is then given up, so that it does not block the queue.
func (x *execution) journalError(err error) error {
	err = record.DatabaseError(fmt.Sprintf("keep the journal of run %s", x.run.ID), x.database(), err)
	if errors.Is(err, &dbos.Error{Code: dbos.ErrorCodeUnexpectedStep}) || errors.Is(err, dbos.ErrStepNondeterminism) {
		return fault.New(fault.Internal, "the journal of run %s does not match its plan", x.run.ID).
			Hint("check what the run changed in %s, and start a new one", x.run.Environment).Cause(err)
	}
	return err
}

// collect takes how a step ended once the journal has it.
func (x *execution) collect(n *node, out <-chan dbos.StepOutcome[stepState]) {
	o := <-out
	if o.Err != nil {
		x.fail(x.journalError(o.Err))
		return
	}
	n.end = o.Result
	if n.end.Result.Outcome == delivery.OutcomeFailed {
		x.canceller.failed(n.spec.Name)
	}
	if err := x.recordEnd(n.spec.Name, n.spec.Kind, n.index, n.end); err != nil {
		x.fail(err)
		return
	}
	x.e.failpoint("recorded " + n.spec.Name)
	close(n.done)
}

// recordEnd records how a step ended and emits it, unless a process before this one did.
// Where other machines go on from the records, it is there when this returns.
func (x *execution) recordEnd(name string, kind step.Kind, index int, end stepState) error {
	if end.Later {
		return nil // it has not come to it yet
	}
	if old, ok := x.known[name]; ok && old.Result != nil && old.Attempt >= end.Attempt && old.Result.Outcome == end.Result.Outcome {
		return nil
	}
	r := end.Result
	ended := record.StepRecord{
		Run: x.run.ID, Name: name, Index: index, Kind: kind, Attempt: end.Attempt, Begun: end.Begun, Result: &r,
		Unmet: end.Unmet, Cancelled: end.Cancelled,
	}
	if x.e.Owners == nil {
		x.records.save(ended)
	} else if err := x.records.saveNow(x.base, ended); err != nil {
		return err
	}
	text := r.Cause
	if text == "" {
		text = r.Summary
	}
	x.events.emit(event.Event{
		Kind: event.StepFinished, Step: name, Outcome: r.Outcome, Cached: r.Cached,
		Seconds: seconds(r.Started, r.Ended), Text: text, Hint: r.Hint,
	})
	return nil
}

// runNode waits for what the step needs and for a slot, and runs it. An error
// means that the journal is closing: nothing is kept.
func (x *execution) runNode(ctx context.Context, n *node) (stepState, error) {
	before := n.before() // all of them: in a replay they come from the journal in any order
	for _, need := range before {
		if err := x.await(ctx, n, need); err != nil {
			return stepState{}, err
		}
	}
	if end, unmet := n.unmet(); unmet {
		return end, nil
	}
	if n.spec.Action == step.ActionSkip {
		return stepState{Result: step.Result{Outcome: delivery.OutcomeSkipped, Summary: n.spec.Reason}}, nil
	}
	select {
	case x.slots <- struct{}{}:
		defer func() { <-x.slots }()
	case <-x.canceller.ctx.Done():
	case <-ctx.Done():
	}
	if ctx.Err() != nil {
		return stepState{}, context.Cause(ctx)
	}
	if why := x.canceller.admit(n.spec.Undo != ""); why != nil {
		return x.notRun(n, why), nil
	}
	return x.runStep(ctx, stepRun{index: n.index, request: x.request(n.spec, outputsOf(before))})
}

// await waits until the journal has how the step that n needs ended.
func (x *execution) await(ctx context.Context, n, need *node) error {
	select {
	case <-need.done:
		return nil
	default:
	}
	x.e.failpoint(n.spec.Name + " waits for " + need.spec.Name)
	select {
	case <-need.done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// unmet is the state of a step that can't run because of one that it needs.
func (n *node) unmet() (stepState, bool) {
	for _, need := range n.needs {
		end := need.end
		if end.satisfies() {
			continue
		}
		if end.Later || end.Result.Outcome == delivery.OutcomeWaiting {
			return stepState{Later: true, Result: step.Result{Outcome: delivery.OutcomeWaiting, Cause: "waits for " + need.spec.Name}}, true
		}
		why := end.Unmet
		if why == "" && end.Result.Outcome == delivery.OutcomeCancelled {
			why = end.Result.Cause // what it was stopped for stops this one, too
		}
		if why == "" {
			why = fmt.Sprintf("%s %s", need.spec.Name, end.Result.Outcome)
		}
		return stepState{Unmet: why, Cancelled: end.Cancelled, Result: step.Result{Outcome: delivery.OutcomeSkipped, Cause: "not run: " + why}}, true
	}
	return stepState{}, false
}

// notRun is the state of a step that was not begun because the run was cancelled. If
// a process that died had begun it, it may be half done, and is to be undone.
func (x *execution) notRun(n *node, why *cancelCause) stepState {
	end := stepState{Unmet: why.Error(), Cancelled: why.by}
	end.Result = step.Result{Outcome: delivery.OutcomeSkipped, Cause: "not run: " + why.Error()}
	if old, ok := x.known[n.spec.Name]; ok && old.Result == nil {
		end.Attempt, end.Begun = old.Attempt, old.Begun
		end.Result = step.Result{Outcome: delivery.OutcomeCancelled, Cause: why.Error(), Started: old.Begun, Ended: x.e.now()}
	}
	return end
}

// before are all steps that n needs, directly or not, nearest first.
func (n *node) before() []*node {
	var out []*node
	seen := map[*node]bool{}
	for todo := n.needs; len(todo) > 0; {
		var next []*node
		for _, need := range todo {
			if !seen[need] {
				seen[need] = true
				out = append(out, need)
				next = append(next, need.needs...)
			}
		}
		todo = next
	}
	return out
}

// outputsOf are the outputs of those steps.
func outputsOf(before []*node) map[string]json.RawMessage {
	out := make(map[string]json.RawMessage, len(before))
	for _, n := range before {
		if len(n.end.Result.Output) > 0 {
			out[n.spec.Name] = n.end.Result.Output
		}
	}
	return out
}
