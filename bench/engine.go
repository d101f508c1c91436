package main

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/slipway-cd/slipway/bench/measure"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/engine"
	"github.com/slipway-cd/slipway/internal/plan"
	"github.com/slipway-cd/slipway/internal/record/sqlite"
	"github.com/slipway-cd/slipway/internal/step"
)

// noopStep is a step that does nothing: what remains is the engine.
type noopStep struct{}

func (noopStep) Run(context.Context, step.Request) (step.Result, error) {
	return step.Succeed("", struct{}{})
}

// measureEngine measures the cost of durability with steps that do nothing, on the
// disk of the temporary folder.
func (b *bench) measureEngine(ctx context.Context) error {
	for i, c := range []struct {
		what         string
		steps, lanes int
		times        int
	}{
		{"durable step, 100 one after another (median of 7)", 100, 1, 7},
		{"durable step, 1,000 with 8 at a time (median of 3)", 1000, 8, 3},
	} {
		var each []time.Duration
		for n := range c.times {
			took, err := b.runNoops(ctx, fmt.Sprintf("%02d%02d", i, n), c.steps, c.lanes)
			if err != nil {
				return err
			}
			each = append(each, took/time.Duration(c.steps))
		}
		m := measure.Median(each)
		b.Add(c.what, "<= 2 ms", fmt.Sprintf("%.2f ms", measure.Milliseconds(m)), m <= 2*time.Millisecond)
	}
	return nil
}

// runNoops runs a plan with that many steps in parallel chains.
func (b *bench) runNoops(ctx context.Context, name string, steps, lanes int) (time.Duration, error) {
	home := filepath.Join(b.work, "engine"+name)
	store, err := sqlite.Open(ctx, filepath.Join(home, "slipway.db"), "bench", nil)
	if err != nil {
		return 0, err
	}
	defer store.Close()
	p := plan.Plan{
		Version: plan.Version, Purpose: plan.Deliver, Run: delivery.RunID("20260101-000000-" + name),
		Service: "bench", Environment: "bench", Trigger: plan.Trigger{By: "bench"},
	}
	for i := range steps {
		s := step.Spec{Name: fmt.Sprintf("test.%d", i), Kind: step.Test, Action: step.ActionRun}
		if i >= lanes {
			s.Needs = []string{fmt.Sprintf("test.%d", i-lanes)}
		}
		p.Steps = append(p.Steps, s)
	}
	e := &engine.Engine{Runs: store.Runs(), Cache: store.Cache(), Steps: map[step.Kind]step.Step{step.Test: noopStep{}}, Home: home, Repository: home, Parallel: lanes}
	start := time.Now()
	run, err := e.Run(ctx, p)
	took := time.Since(start)
	if err == nil && run.Outcome != delivery.OutcomeSucceeded {
		err = fmt.Errorf("run of %d steps that do nothing: %s: %s", steps, run.Outcome, run.Cause)
	}
	return took, err
}
