package engine_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/objecttest"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/engine"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port/porttest"
	"github.com/slipway-cd/slipway/internal/record"
	"github.com/slipway-cd/slipway/internal/step"
)

// deliverySteps are a delivery whose deployment can be undone.
func deliverySteps() []step.Spec {
	return []step.Spec{
		{Name: "unit", Kind: step.Test},
		{Name: "deploy", Kind: step.Deploy, Undo: step.Rollback, Needs: []string{"unit"}},
		{Name: "verify", Kind: step.Verify, Needs: []string{"deploy"}},
	}
}

// TestRun_StoreAway: while the store is away in the middle of a deployment, for every
// driver: shorter than the owner's time, the run waits and goes on; longer, the owner
// leaves the run without undoing it, and another machine finishes it.
func TestRun_StoreAway(t *testing.T) {
	for _, driver := range objecttest.Drivers() {
		t.Run(driver, func(t *testing.T) {
			t.Parallel()
			server := objecttest.Start(t, driver)
			machine := func() *lab { return newLabWith(t, t.TempDir(), openView(t, t.TempDir(), server.Open(t, "retail"))) }
			t.Run("short", func(t *testing.T) { testAwayShortly(t, machine(), server) })
			t.Run("long", func(t *testing.T) { testAwayForLong(t, machine, server) })
		})
	}
}

func testAwayShortly(t *testing.T, l *lab, server *objecttest.Server) {
	l.does["deploy"] = func(context.Context, step.Request) (step.Result, error) {
		server.Faults.Away()
		time.AfterFunc(time.Second, func() { server.Faults.Set(nil) })
		return step.Succeed("", nil)
	}
	wantRun(t, l.run(newPlan(1, deliverySteps()...)), record.Ended, delivery.OutcomeDeployed, "")
	if ran := l.started(); !slices.Equal(ran, []string{"unit/1", "deploy/1", "verify/1"}) {
		t.Errorf("ran %v, want each step once", ran)
	}
	if seen := server.Faults.Seen()[objecttest.LostRequest]; seen == 0 {
		t.Error("no request was lost")
	}
}

func testAwayForLong(t *testing.T, machine func() *lab, server *objecttest.Server) {
	const timeout = 4 * time.Second // for the minute that owners have: ten of them are ten minutes
	here, there := machine(), machine()
	here.OwnerTimeout, there.OwnerTimeout = timeout, timeout
	here.does["deploy"] = func(ctx context.Context, _ step.Request) (step.Result, error) {
		server.Faults.Away()
		<-ctx.Done()
		return step.Result{}, context.Cause(ctx)
	}
	begun := time.Now()
	if _, err := here.Run(t.Context(), newPlan(2, deliverySteps()...)); !errors.Is(err, engine.ErrSuspend) {
		t.Errorf("error = %v, want ErrSuspend", err)
	}
	if took := time.Since(begun); took > 10*timeout {
		t.Errorf("the owner stopped after %s, want it to before %s", took, timeout)
	}
	if ran := here.started(); !slices.Equal(ran, []string{"unit/1", "deploy/1"}) {
		t.Errorf("ran %v, want nothing after the deployment: it is not undone", ran)
	}
	ctx, done := context.WithTimeout(t.Context(), time.Second)
	defer done()
	if _, err := there.Resume(ctx, runID(2)); err == nil {
		t.Error("another machine resumed the run without the store")
	}
	server.Faults.Set(nil)
	var run record.Run
	porttest.Await(t, "the last beat is old", func() (over bool) {
		var err error
		if run, err = there.Resume(t.Context(), runID(2)); err != nil && !fault.Is(err, fault.Conflict) {
			t.Fatal(err)
		}
		return err == nil
	})
	wantRun(t, run, record.Ended, delivery.OutcomeDeployed, "")
	if ran := there.started(); !slices.Equal(ran, []string{"deploy/1", "verify/1"}) {
		t.Errorf("the other machine ran %v, want the deployment again, and what comes after it", ran)
	}
}
