package engine_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/event"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/record"
	"github.com/slipway-cd/slipway/internal/step"
)

// unending are runs whose end can't be recorded.
type unending struct{ record.Runs }

func (unending) Finish(context.Context, delivery.RunID, record.RunResult) error {
	return fault.New(fault.Unavailable, "no route to the store")
}

// TestAnnounce: the end of a run is announced before it is recorded, and by whoever takes
// the run over if the owner died in between: as the same end.
func TestAnnounce(t *testing.T) {
	home := newMachine(t, true)
	var announced []string
	note := func(l *lab) {
		l.Announce = func(ctx context.Context, run record.Run, e event.Event) {
			if now, err := l.Runs.Get(ctx, run.ID); err != nil || now.State == record.Ended {
				t.Errorf("announced when it was %s (error = %v), want before its end", now.State, err)
			}
			announced = append(announced, fmt.Sprint(e.Kind, e.Run, run.Seq, e.Outcome))
		}
	}
	dies := newLab(t, home)
	dies.Runs = unending{dies.Runs}
	note(dies)
	if _, err := dies.Run(t.Context(), newPlan(1, step.Spec{Name: "unit"})); !fault.Is(err, fault.Unavailable) {
		t.Fatalf("error = %v, want %s", err, fault.Unavailable)
	}
	l := newLab(t, successor(t, home))
	note(l)
	run, err := l.Resume(t.Context(), runID(1))
	if err != nil {
		t.Fatal(err)
	}
	wantRun(t, run, record.Ended, delivery.OutcomeSucceeded, "")
	end := fmt.Sprint(event.RunFinished, runID(1), 1, delivery.OutcomeSucceeded)
	if diff := cmp.Diff([]string{end, end}, announced); diff != "" {
		t.Errorf("announced (-want +got):\n%s", diff)
	}
}
