package job

import (
	"bytes"
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest/fake"
	"github.com/slipway-cd/slipway/internal/step"
)

func usd(amount float64) delivery.Money { return delivery.Money{Amount: amount, Currency: "USD"} }

// costs are the entries of a ledger.
type costs []port.JobEntry

func (c costs) Costs(context.Context, time.Time) ([]port.JobEntry, error) { return c, nil }

var (
	november = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	now      = november.AddDate(0, 0, 23)
)

func spent(run delivery.RunID, name string, at time.Time, m delivery.Money) port.JobEntry {
	return port.JobEntry{Run: run, Step: name, Begun: at, Cost: delivery.JobCost{Amount: &m}}
}

// priced is a request of a job that may cost 2 USD, with a budget of 5 and 50.
func priced(t *testing.T, estimate float64) step.Request {
	r := request(t)
	r.PlanDigest, r.Commit = fake.Digest(7), delivery.Commit{SHA: strings.Repeat("c", 40)}
	r.Spec.Estimate = &delivery.CostEstimate{Amount: usd(estimate), Text: "at most " + usd(estimate).String()}
	r.Spec.Budget = &step.Budget{Budget: delivery.Budget{PerRun: usd(5), PerMonth: usd(50)}}
	return r
}

func TestBudget_Check(t *testing.T) {
	decided := func(name string, approved bool, change ...func(*port.Approval)) []port.Approval {
		a := port.Approval{Subject: port.ApproveBudget, Plan: fake.Digest(7), By: delivery.Actor{Name: name}, Approved: approved, Reason: "a good reason"}
		for _, do := range change {
			do(&a)
		}
		return []port.Approval{a}
	}
	const other = delivery.RunID("20260102-030405-zzzz")
	for _, c := range []struct {
		name      string
		estimate  float64
		ahead     float64
		ledger    costs
		decisions []port.Approval
		approvers [][]string
		cause     string // empty: it may be begun
		failed    bool
	}{
		{name: "within", estimate: 2},
		{name: "above that of a run", estimate: 5.01, cause: "the estimate of 5.01 USD is above the budget of 5 USD for a run (at most 5.01 USD)"},
		{name: "with the jobs ahead", estimate: 2, ahead: 3.5, cause: "the estimate of 5.50 USD is above the budget of 5 USD for a run"},
		{name: "with the run's other jobs", estimate: 2, ledger: costs{spent("20260102-030405-abcd", "evaluate", now, usd(4))}, cause: "the estimate of 6 USD is above the budget of 5 USD for a run"},
		{name: "an attempt before does not count", estimate: 2, ledger: costs{spent("20260102-030405-abcd", "train/it", now, usd(49))}},
		{name: "above that of a month", estimate: 2, ledger: costs{spent(other, "train", november, usd(30)), spent(other, "train", now, usd(18.5))}, cause: "the estimate of 2 USD is above the budget of 50 USD for a month, of which 48.50 USD are spent"},
		{name: "what was spent last month", estimate: 2, ledger: costs{spent(other, "train", november.Add(-time.Second), usd(49))}},
		{name: "in another currency", estimate: 2, ledger: costs{spent(other, "train", now, delivery.Money{Amount: 1, Currency: "EUR"})}, cause: "what this month's jobs cost is recorded in EUR, too: it can't be compared with the budget of 50 USD"},
		{name: "approved", estimate: 6, decisions: decided("ana", true)},
		{name: "rejected", estimate: 6, decisions: decided("ana", false), cause: "and ana rejected it: a good reason", failed: true},
		{name: "approved by somebody else than the policy lists", estimate: 6, decisions: decided("ana", true), approvers: [][]string{{"ben"}}, cause: "not counting the approval of ana, which the policy does not list"},
		{name: "approved by whom the policy lists", estimate: 6, decisions: decided("ben", true, func(a *port.Approval) {
			a.By.Issuer, a.By.Subject, a.By.Means = "https://ci.example", "7", delivery.MeansCI
		}), approvers: [][]string{{"https://ci.example 7"}}},
		{name: "the deployment was approved", estimate: 6, decisions: decided("ana", true, func(a *port.Approval) { a.Subject = port.ApproveDeploy }), cause: "above the budget"},
		{name: "another plan was approved", estimate: 6, decisions: decided("ana", true, func(a *port.Approval) { a.Plan = fake.Digest(8) }), cause: "above the budget"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := priced(t, c.estimate)
			r.Spec.Estimate.Ahead, r.Spec.Budget.Approvers = usd(c.ahead), c.approvers
			records := fake.NewEnvironment().Records
			for _, d := range c.decisions {
				d.Run = r.Run
				if err := records.Approvals().Record(t.Context(), d); err != nil {
					t.Fatal(err)
				}
			}
			b := Budget{Jobs: &fake.Jobs{}, Ledger: c.ledger, Approvals: records.Approvals(), Clock: step.Clock{Time: func() time.Time { return now }}}
			res, held, err := b.Check(t.Context(), r, order(r, "true"))
			want := delivery.OutcomeWaiting
			if c.failed {
				want = delivery.OutcomeFailed
			}
			switch {
			case err != nil || held != (c.cause != ""):
				t.Fatalf("held: %v (%q), error = %v", held, res.Cause, err)
			case held && (res.Outcome != want || !strings.Contains(res.Cause, c.cause)):
				t.Errorf("%s: %q; want %s: %q", res.Outcome, res.Cause, want, c.cause)
			case held && !c.failed && !strings.Contains(res.Hint, "slipway approve "+string(r.Run)):
				t.Errorf("hint = %q", res.Hint)
			}
		})
	}
}

// A job that was begun before goes on, whatever it costs: it is paid in any case.
func TestBudget_JobWasBegun(t *testing.T) {
	r := priced(t, 6)
	jobs := &fake.Jobs{Commands: fake.Shell{}, Logs: t.TempDir()}
	j := order(r, "true")
	if _, err := jobs.Submit(t.Context(), j); err != nil {
		t.Fatal(err)
	}
	b := Budget{Jobs: jobs, Ledger: costs{}, Clock: step.Clock{Time: func() time.Time { return now }}}
	if res, held, err := b.Check(t.Context(), r, j); held || err != nil {
		t.Errorf("held: %v (%q), error = %v; want it to go on", held, res.Cause, err)
	}
}

// busy is a service that does not answer at once.
type busy struct {
	port.Jobs
	left int
	err  error
}

func (b *busy) Poll(context.Context, port.JobHandle) (port.JobState, error) {
	if b.left--; b.left >= 0 {
		return port.JobState{}, b.err
	}
	return port.JobState{Found: true}, nil
}

// While it can't be told whether the job was begun, nothing is decided.
func TestBudget_LooksAgain(t *testing.T) {
	r := priced(t, 6)
	b := Budget{Jobs: &busy{left: 1, err: fault.New(fault.Unavailable, "throttled")}, Ledger: costs{}}
	if _, held, err := b.Check(t.Context(), r, order(r, "true")); held || err != nil {
		t.Errorf("held: %v, error = %v; want it found at the second look", held, err)
	}
	b.Jobs = &busy{left: 100, err: fault.New(fault.Denied, "no rights")}
	if _, _, err := b.Check(t.Context(), r, order(r, "true")); !fault.Is(err, fault.Denied) {
		t.Errorf("error = %v, want %s", err, fault.Denied)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	b.Jobs = &busy{left: 100, err: fault.New(fault.Unavailable, "away")}
	if _, held, err := b.Check(ctx, r, order(r, "true")); err == nil || held {
		t.Errorf("held: %v, error = %v; want it to end with the run", held, err)
	}
}

// Without a budget, or where nothing tells what others cost, nothing is guessed.
func TestBudget_Unknown(t *testing.T) {
	r := priced(t, 6)
	if _, held, err := (Budget{}).Check(t.Context(), r, port.Job{}); held || !fault.Is(err, fault.Internal) {
		t.Errorf("held: %v, error = %v; want %s", held, err, fault.Internal)
	}
	r.Spec.Budget = nil
	if _, held, err := (Budget{}).Check(t.Context(), r, port.Job{}); held || err != nil {
		t.Errorf("held: %v, error = %v without a budget", held, err)
	}
}

func TestCost(t *testing.T) {
	r := priced(t, 2)
	r.Spec.Estimate.Rates = []delivery.Rate{{Instance: "large", Price: usd(0.5)}}
	j := order(r, "true")
	used := &delivery.JobUsage{Instance: "large", Count: 1, Billed: delivery.Duration(time.Hour)}
	half, two := usd(0.5), usd(2)
	for _, c := range []struct {
		name string
		done Result
		want *delivery.JobCost
	}{
		{"not begun", Result{}, nil},
		{"it ended", Result{Begun: true, Usage: used}, &delivery.JobCost{Job: j.Name, Usage: used, Amount: &half}},
		{"nobody saw its end", Result{Begun: true}, &delivery.JobCost{Job: j.Name, Amount: &two, Estimated: true}},
	} {
		if diff := cmp.Diff(c.want, Cost(r, j, c.done)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
	r.Spec.Estimate = nil
	if c := Cost(r, j, Result{Begun: true}); c != nil {
		t.Errorf("%+v, where nothing is paid", c)
	}
	if c := Cost(r, j, Result{Begun: true, Usage: used}); c == nil || c.Amount != nil || c.Usage != used {
		t.Errorf("%+v without a price, want the usage", c)
	}
}

// paid is a runner that says what jobs used.
type paid struct {
	*fake.Jobs
	used delivery.JobUsage
	fail error
}

func (p paid) Poll(ctx context.Context, h port.JobHandle) (port.JobState, error) {
	s, err := p.Jobs.Poll(ctx, h)
	if s.Done {
		s.Usage = &p.used
		if p.fail != nil {
			return port.JobState{Usage: s.Usage}, p.fail
		}
	}
	return s, err
}

// What a job used is known however it ended.
func TestRunner_Usage(t *testing.T) {
	used := delivery.JobUsage{Instance: "large", Count: 1, Billed: delivery.Duration(time.Hour)}
	for _, c := range []struct {
		name, run string
		fail      error
		cancel    bool
	}{
		{"succeeded", "true", nil, false}, {"failed", "exit 3", nil, false}, {"the machine failed", "true", fault.New(fault.Failed, "no capacity"), false}, {"cancelled", "echo on; exec sleep 100", nil, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := request(t)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			out := writer(func(p []byte) (int, error) {
				if c.cancel {
					cancel()
				}
				return len(p), nil
			})
			j := order(r, c.run)
			j.Command.Env = append(j.Command.Env, "HOME="+os.Getenv("HOME"))
			done, _ := Runner{Jobs: paid{&fake.Jobs{Commands: fake.Shell{}, Logs: t.TempDir()}, used, c.fail}}.Run(ctx, j, out)
			if !done.Begun || done.Usage == nil || *done.Usage != used {
				t.Errorf("begun: %v, used %+v; want %+v", done.Begun, done.Usage, used)
			}
		})
	}
	if done, err := (Runner{Jobs: refusing{}}).Run(t.Context(), port.Job{Name: "j"}, &bytes.Buffer{}); err == nil || done.Begun {
		t.Errorf("begun: %v, error = %v, of a job that was refused", done.Begun, err)
	}
}

type refusing struct{ port.Jobs }

func (refusing) Submit(context.Context, port.Job) (port.JobHandle, error) {
	return "", fault.New(fault.Denied, "no")
}
