package storetest

import (
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/record"
	"github.com/slipway-cd/slipway/internal/step"
)

// TestProjects holds a store that several projects share against the promise that
// none sees or changes another's records, even under the same names. fresh returns a
// function that opens the records of a project in the same store.
func TestProjects(t *testing.T, fresh func(t *testing.T) (open func(delivery.Project) record.Store)) {
	open := fresh(t)
	retail, fraud := closing(t, open("retail")), closing(t, open("fraud"))
	first := enqueue(t, retail, 1, "prod")
	result := step.Result{Outcome: delivery.OutcomeSucceeded, Summary: "retail"}
	saved := record.StepRecord{Run: first.ID, Name: "build", Kind: step.Build, Attempt: 1, Result: &result}
	ok(t, retail.Runs().SaveStep(t.Context(), saved))
	ok(t, retail.Cache().Put(t.Context(), digest("a"), first.ID, result))
	ok(t, retail.Outbox().Post(t.Context(), "chat", port.Message{ID: "m", Title: "retail"}))
	later := time.Now().Add(time.Hour)

	t.Run("sees nothing", func(t *testing.T) {
		_, err := fraud.Runs().Get(t.Context(), first.ID)
		wantKind(t, "run", err, fault.NotFound)
		wantHead(t, fraud, "prod", "")
		same(t, "runs", len(must(port.Collect(record.AllRuns(t.Context(), fraud.Runs(), "")))), 0)
		same(t, "unfinished runs", len(must(fraud.Runs().Unfinished(t.Context()))), 0)
		same(t, "steps", len(must(fraud.Runs().ListSteps(t.Context(), first.ID))), 0)
		_, found, err := fraud.Cache().Lookup(t.Context(), digest("a"))
		ok(t, err)
		same(t, "a cached result", found, false)
		same(t, "messages", len(must(fraud.Outbox().Due(t.Context(), later, 0))), 0)
	})
	t.Run("changes nothing", func(t *testing.T) {
		wantKind(t, "start", fraud.Runs().Start(t.Context(), first.ID, 1, "h", at(1)), fault.NotFound)
		wantKind(t, "cancel", fraud.Runs().RequestCancel(t.Context(), first.ID, actor()), fault.NotFound)
		wantKind(t, "finish", fraud.Runs().Finish(t.Context(), first.ID, record.RunResult{Outcome: delivery.OutcomeFailed}), fault.NotFound)
		_, err := fraud.Runs().Requeue(t.Context(), first.ID)
		wantKind(t, "requeue", err, fault.NotFound)
		wantKind(t, "save a step", fraud.Runs().SaveStep(t.Context(), saved), fault.NotFound)
		same(t, "unused results", must(fraud.Cache().CountUnused(t.Context(), later)), 0)
		same(t, "pruned results", must(fraud.Cache().Prune(t.Context(), later)), 0)
		for _, m := range must(retail.Outbox().Due(t.Context(), later, 0)) {
			ok(t, fraud.Outbox().MarkSent(t.Context(), m.ID))
			ok(t, fraud.Outbox().Reschedule(t.Context(), m.ID, later.Add(time.Hour)))
		}
	})
	t.Run("has the same names", func(t *testing.T) {
		own := enqueue(t, fraud, 1, "prod")
		ok(t, fraud.Runs().Finish(t.Context(), own.ID, record.RunResult{Outcome: delivery.OutcomeFailed, At: at(2)}))
		ok(t, fraud.Cache().Put(t.Context(), digest("a"), own.ID, step.Result{Outcome: delivery.OutcomeSucceeded, Summary: "fraud"}))
		ok(t, fraud.Outbox().Post(t.Context(), "chat", port.Message{ID: "m", Title: "fraud"}))
	})
	same(t, "run of the first project", must(retail.Runs().Get(t.Context(), first.ID)), first)
	wantHead(t, retail, "prod", first.ID)
	cached, _, err := retail.Cache().Lookup(t.Context(), digest("a"))
	ok(t, err)
	same(t, "cached result of the first project", cached.Summary, "retail")
	due := must(retail.Outbox().Due(t.Context(), later, 0))
	if len(due) != 1 || due[0].Message.Title != "retail" || due[0].Attempts != 0 {
		t.Errorf("messages of the first project: %+v, want the one that was posted", due)
	}
}
