package engine_test

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/engine"
	"github.com/slipway-cd/slipway/internal/plan"
	"github.com/slipway-cd/slipway/internal/record/sqlite"
	"github.com/slipway-cd/slipway/internal/step"
)

func benchmark(b *testing.B, parallel int, specs []step.Spec) {
	home := b.TempDir()
	store, err := sqlite.Open(b.Context(), filepath.Join(home, "slipway.db"), "retail", nil)
	if err != nil {
		b.Fatal(err)
	}
	defer store.Close()
	noop := do(func(context.Context, step.Request) (step.Result, error) { return step.Succeed("", nil) })
	e := &engine.Engine{Runs: store.Runs(), Cache: store.Cache(), Home: home, Repository: home, Parallel: parallel, Steps: map[step.Kind]step.Step{step.Test: noop}}
	if _, err := e.Run(b.Context(), newPlan(0, step.Spec{Name: "first"})); err != nil {
		b.Fatal(err)
	}
	var p plan.Plan
	for i := 0; b.Loop(); i++ {
		p = newPlan(1, specs...)
		p.Run = delivery.RunID(fmt.Sprintf("20261124-%06d-aaaa", i))
		if run, err := e.Run(b.Context(), p); err != nil || run.Outcome != delivery.OutcomeSucceeded {
			b.Fatalf("%+v, %v", run, err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/1000/float64(b.N*len(specs)), "ms/step")
}

// BenchmarkSequential100: a chain of steps that do nothing.
func BenchmarkSequential100(b *testing.B) {
	var specs []step.Spec
	for i := range 100 {
		s := step.Spec{Name: fmt.Sprintf("s%d", i)}
		if i > 0 {
			s.Needs = []string{specs[i-1].Name}
		}
		specs = append(specs, s)
	}
	benchmark(b, 1, specs)
}

// BenchmarkParallel1000x8: steps that need nothing, eight at a time.
func BenchmarkParallel1000x8(b *testing.B) {
	var specs []step.Spec
	for i := range 1000 {
		specs = append(specs, step.Spec{Name: fmt.Sprintf("s%d", i)})
	}
	benchmark(b, 8, specs)
}

// BenchmarkOneStep is what a run costs besides its steps.
func BenchmarkOneStep(b *testing.B) { benchmark(b, 1, []step.Spec{{Name: "s"}}) }
