package evaluate

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest/fake"
	"github.com/slipway-cd/slipway/internal/step"
)

// elsewhere is a runner that keeps the job it was given, and is paid by the minute.
type elsewhere struct {
	*fake.Jobs
	job port.Job
}

func (e *elsewhere) Mounts(j port.Job) (map[string][]string, error) {
	e.job = j
	return e.Jobs.Mounts(j)
}

func (e *elsewhere) Poll(ctx context.Context, h port.JobHandle) (port.JobState, error) {
	s, err := e.Jobs.Poll(ctx, h)
	if s.Done {
		s.Usage = &delivery.JobUsage{Instance: "large", Count: 1, Billed: delivery.Duration(time.Minute)}
	}
	return s, err
}

type noCosts struct{}

func (noCosts) Costs(context.Context, time.Time) ([]port.JobEntry, error) { return nil, nil }

// newRemoteFixture evaluates elsewhere, at 6 USD an hour.
func newRemoteFixture(t *testing.T, run string, gates ...string) (*fixture, *elsewhere) {
	s := newFixture(t, run, gates...)
	there := &elsewhere{Jobs: s.jobs}
	s.w.On = &step.RunnerParams{Kind: "paid", Remote: true}
	s.step.Jobs, s.step.JobsOn = nil, func(step.RunnerParams) (port.Jobs, error) { return there, nil }
	s.step.Costs, s.step.Approvals = noCosts{}, s.Records.Approvals()
	s.r.Spec.Estimate = &delivery.CostEstimate{
		Amount: delivery.Money{Amount: 1, Currency: "USD"}, Text: "at most 1 USD",
		Rates: []delivery.Rate{{Instance: "large", Price: delivery.Money{Amount: 6, Currency: "USD"}}},
	}
	return s, there
}

// The command has copies of checkout, data and model, and nothing of this machine; the
// gates decide by the metrics that come back.
func TestRun_Elsewhere(t *testing.T) {
	for gate, outcome := range map[string]delivery.Outcome{"accuracy >= 0.8": delivery.OutcomeSucceeded, "accuracy >= 0.9": delivery.OutcomeFailed} {
		s, there := newRemoteFixture(t, `test -z "$HTTP_PROXY" && test "$MINE" = yes && test -f {{.Model}}/model.bin && `+writeMetrics(`{"accuracy": 0.87}`), gate)
		s.w.Env = map[string]string{"MINE": "yes"}
		s.step.Environ = func() []string { return []string{"PATH=/usr/bin:/bin", "HTTP_PROXY=http://proxy"} }
		res, err := s.run(t)
		if err != nil || res.Outcome != outcome {
			t.Fatalf("%s: outcome = %s (%q), error = %v, want %s", gate, res.Outcome, res.Cause, err, outcome)
		}
		if c := res.Cost; c == nil || c.Amount == nil || c.Amount.String() != "0.10 USD" {
			t.Errorf("cost = %+v, want 0.10 USD", c)
		}
		root, _ := s.r.Checkout(t.Context())
		if paths, err := there.job.Inputs[checkoutInput].Paths(); err != nil || !slices.Equal(paths, []string{root}) {
			t.Errorf("checkout among the inputs = %q, error = %v, want %s", paths, err, root)
		}
		if _, err := there.job.Inputs[modelInput].Paths(); err != nil || len(there.job.Outputs) != 1 {
			t.Errorf("inputs %v, outputs %v, error = %v", there.job.Inputs, there.job.Outputs, err)
		}
	}
}

// An evaluation counts for the budget as training does.
func TestRun_AboveBudget(t *testing.T) {
	s, _ := newRemoteFixture(t, writeMetrics(`{"accuracy": 0.87}`), "accuracy >= 0.8")
	s.r.Spec.Budget = &step.Budget{Budget: delivery.Budget{PerRun: delivery.Money{Amount: 0.5, Currency: "USD"}}}
	res, err := s.run(t)
	if err != nil || res.Outcome != delivery.OutcomeWaiting || !strings.Contains(res.Cause, "above the budget of 0.50 USD for a run") || len(s.jobs.Submitted) > 0 || res.Cost != nil {
		t.Errorf("outcome = %s (%q), error = %v, submitted %q, cost %+v; want it to wait", res.Outcome, res.Cause, err, s.jobs.Submitted, res.Cost)
	}
}
