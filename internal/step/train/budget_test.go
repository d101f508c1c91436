package train

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest/fake"
	"github.com/slipway-cd/slipway/internal/step"
)

type noCosts struct{}

func (noCosts) Costs(context.Context, time.Time) ([]port.JobEntry, error) { return nil, nil }

// metered is a runner that is paid by the minute.
type metered struct{ *fake.Jobs }

func (m metered) Poll(ctx context.Context, h port.JobHandle) (port.JobState, error) {
	s, err := m.Jobs.Poll(ctx, h)
	if s.Done {
		s.Usage = &delivery.JobUsage{Instance: "large", Count: 1, Billed: delivery.Duration(time.Minute)}
	}
	return s, err
}

// newPaidScene trains where it costs 6 USD an hour, with a budget for a run.
func newPaidScene(t *testing.T, run string, estimate, budget float64) *scene {
	s := newScene(t, run)
	records := fake.NewEnvironment().Records
	s.step.JobsOn = func(step.RunnerParams) (port.Jobs, error) { return metered{s.jobs}, nil }
	s.step.Costs, s.step.Approvals = noCosts{}, records.Approvals()
	s.w.On = &step.RunnerParams{Kind: "paid", Remote: true}
	s.r.Spec.Estimate = &delivery.CostEstimate{
		Amount: delivery.Money{Amount: estimate, Currency: "USD"}, Text: "at most that",
		Rates: []delivery.Rate{{Instance: "large", Price: delivery.Money{Amount: 6, Currency: "USD"}}},
	}
	s.r.Spec.Budget = &step.Budget{Budget: delivery.Budget{PerRun: delivery.Money{Amount: budget, Currency: "USD"}}}
	return s
}

// The cost of a job is in the step's result, whatever became of it.
func TestRun_Cost(t *testing.T) {
	for run, outcome := range map[string]delivery.Outcome{
		"echo x > {{.Output}}/model.bin": delivery.OutcomeSucceeded, "exit 3": delivery.OutcomeFailed, "true": delivery.OutcomeFailed,
	} {
		s := newPaidScene(t, run, 1, 5)
		res, _, err := s.run(t)
		if err != nil || res.Outcome != outcome {
			t.Fatalf("%s: outcome = %s (%q), error = %v, want %s", run, res.Outcome, res.Cause, err, outcome)
		}
		if c := res.Cost; c == nil || c.Amount == nil || c.Amount.String() != "0.10 USD" || c.Estimated || c.Job != s.jobs.Submitted[0] {
			t.Errorf("%s: cost = %+v, want 0.10 USD", run, c)
		}
	}
}

// Above its budget, training waits for a person and begins nothing.
func TestRun_AboveBudget(t *testing.T) {
	s := newPaidScene(t, "echo x > {{.Output}}/model.bin", 6, 5)
	res, _, err := s.run(t)
	if err != nil || res.Outcome != delivery.OutcomeWaiting || !strings.Contains(res.Cause, "the estimate of 6 USD is above the budget of 5 USD for a run") {
		t.Fatalf("outcome = %s (%q), error = %v; want it to wait", res.Outcome, res.Cause, err)
	}
	if len(s.jobs.Submitted) > 0 || res.Cost != nil {
		t.Errorf("submitted %q, cost %+v", s.jobs.Submitted, res.Cost)
	}
	a := port.Approval{Run: s.r.Run, Subject: port.ApproveBudget, By: delivery.Actor{Name: "ana"}, Approved: true}
	if err := s.step.Approvals.Record(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	s.r.Attempt = 2
	if res, _, err = s.run(t); err != nil || res.Outcome != delivery.OutcomeSucceeded || len(s.jobs.Submitted) != 1 {
		t.Errorf("approved: outcome = %s (%q), error = %v, submitted %q", res.Outcome, res.Cause, err, s.jobs.Submitted)
	}
}
