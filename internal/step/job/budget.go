package job

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/step"
	"github.com/slipway-cd/slipway/internal/wait"
)

// Budget holds a step to what its job may cost.
type Budget struct {
	Jobs      port.Jobs
	Ledger    port.CostLedger
	Approvals port.ApprovalStore
	Clock     step.Clock
}

// How long, and how often, it is tried to find out whether a job was begun.
const (
	maxLookTime  = 15 * time.Minute
	maxLookPause = time.Minute
)

// Check is asked before a job is submitted. held is true if it may not be begun: res is
// then the step's result, which waits for a person or was rejected by one. A job that
// was begun before goes on, whatever it costs.
func (b Budget) Check(ctx context.Context, r step.Request, j port.Job) (res step.Result, held bool, err error) {
	if r.Spec.Budget == nil || r.Spec.Estimate == nil {
		return res, false, nil
	}
	above, err := b.exceeded(ctx, r)
	if err != nil || above == "" {
		return res, false, err
	}
	if begun, err := b.isBegun(ctx, j); err != nil || begun {
		return res, false, err
	}
	return b.decision(ctx, r, above)
}

// exceeded returns why the job is above the budget, now; empty: it is not.
func (b Budget) exceeded(ctx context.Context, r step.Request) (string, error) {
	if b.Ledger == nil {
		return "", fault.New(fault.Internal, "%s has a budget, and nothing tells what other jobs cost", r.Spec.Name)
	}
	since := step.MonthOf(b.Clock.Now())
	entries, err := b.Ledger.Costs(ctx, since)
	if err != nil {
		return "", fmt.Errorf("look up what other jobs cost: %w", err)
	}
	own, estimate := func(e port.JobEntry) bool { return e.Run == r.Run }, r.Spec.Estimate
	month, others := port.Spent(entries, since, estimate.Amount.Currency, own)
	if len(others) > 0 && r.Spec.Budget.PerMonth.Amount > 0 {
		slices.Sort(others)
		return fmt.Sprintf("what this month's jobs cost is recorded in %s, too: it can't be compared with the budget of %s", strings.Join(slices.Compact(others), " and "), r.Spec.Budget.PerMonth), nil
	}
	run, _ := port.Spent(entries, since, estimate.Amount.Currency, func(e port.JobEntry) bool { return !own(e) || e.Step == r.Spec.Name })
	above := r.Spec.Budget.Exceeded(run.Plus(estimate.Amount).Plus(estimate.Ahead), month)
	if above == "" {
		r.Logf("cost: %s; %s spent on other jobs since %s", estimate.Text, month, since.Format(time.DateOnly))
		return "", nil
	}
	return above + " (" + estimate.Text + ")", nil
}

// isBegun reports whether the job exists. While that can't be told it waits: one that
// exists costs already.
func (b Budget) isBegun(ctx context.Context, j port.Job) (bool, error) {
	begun, pause := b.Clock.Now(), time.Second
	for {
		state, err := b.Jobs.Poll(ctx, port.JobHandle(j.Name))
		if !fault.Is(err, fault.Unavailable) || ctx.Err() != nil || b.Clock.Now().Sub(begun) > maxLookTime {
			return state.Found, err
		}
		if err := wait.Sleep(ctx, pause); err != nil {
			return false, fmt.Errorf("look up job %s: %w", j.Name, err)
		}
		pause = min(2*pause, maxLookPause)
	}
}

// decision is what people decided about a job above the budget.
func (b Budget) decision(ctx context.Context, r step.Request, above string) (res step.Result, held bool, err error) {
	given, err := b.Approvals.List(ctx, r.Run)
	if err != nil {
		return res, false, fmt.Errorf("read the approvals of %s: %w", r.Run, err)
	}
	res = step.Result{
		Outcome: delivery.OutcomeWaiting, Cause: above,
		Hint: fmt.Sprintf("slipway approve %s: it allows this run, and nothing else. To allow all of them, raise model.budget", r.Run),
	}
	for _, a := range given {
		switch {
		case a.Subject != port.ApproveBudget || a.By.IsZero() || !a.IsAbout(r.Commit.SHA, r.PlanDigest):
		case !a.Approved:
			return step.Fail("%s, and %s rejected it%s", above, a.By.Title(), suffix(a.Reason)), true, nil
		case !a.By.IsInAll(r.Spec.Budget.Approvers):
			res.Cause += ", not counting the approval of " + a.By.Title() + ", which the policy does not list"
		default:
			r.Notice("%s, and %s approved it%s", above, a.By.Title(), suffix(a.Reason))
			return step.Result{}, false, nil
		}
	}
	return res, true, nil
}

func suffix(reason string) string {
	if reason == "" {
		return ""
	}
	return ": " + reason
}

// Cost is what the records keep of a job, whether its end is known or not; nil: it was
// not begun, or costs nothing.
func Cost(r step.Request, j port.Job, done Result) *delivery.JobCost {
	estimate := r.Spec.Estimate
	switch {
	case !done.Begun || done.Usage == nil && estimate == nil:
		return nil
	case done.Usage == nil:
		return &delivery.JobCost{Job: j.Name, Amount: &estimate.Amount, Estimated: true}
	}
	return &delivery.JobCost{Job: j.Name, Usage: done.Usage, Amount: step.CostOf(estimate, *done.Usage)}
}
