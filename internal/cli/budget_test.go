package cli_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/app"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest/fake"
	"github.com/slipway-cd/slipway/internal/record"
	"github.com/slipway-cd/slipway/internal/record/sqlite"
	"github.com/slipway-cd/slipway/internal/step"
	"github.com/slipway-cd/slipway/internal/step/train"
)

const paidProject = `version: 1
service: api
aws: {account: "111122223333", region: ap-southeast-1}
image: {build: {go: .}, repository: api}
model:
  group: prices
  budget: {per_run: 5 USD, per_month: 10 USD}
  train:
    run: "echo x > {{.Output}}/model.bin"
    timeout: 10h
    on:
      sagemaker:
        role: arn:aws:iam::111122223333:role/training
        image: train
        instances: [ml.m5.large]
        bucket: mlops
        price: {ml.m5.large: 0.115 USD}
  evaluate: {run: evaluate, gates: [accuracy > 0]}
environments:
  dev: {on: {push: develop}, until: train}
  prod: {on: {push: main}, until: train}
`

// paidJobs run on this machine, and say that they took four hours of an instance.
type paidJobs struct{ *fake.Jobs }

func (p paidJobs) Poll(ctx context.Context, h port.JobHandle) (port.JobState, error) {
	s, err := p.Jobs.Poll(ctx, h)
	if s.Done {
		s.Usage = &delivery.JobUsage{Instance: "ml.m5.large", Count: 1, Billed: delivery.Duration(4 * time.Hour)}
	}
	return s, err
}

// newPaidProgram is a program whose training is real but for what it is paid for.
func newPaidProgram(t *testing.T, file string) (*program, *fake.Jobs) {
	p := newProgram(t)
	p.useFile(file)
	jobs := &fake.Jobs{Commands: fake.Shell{}, Logs: t.TempDir()}
	p.does = map[step.Kind]func(step.Request, *sqlite.Store) (step.Result, error){
		step.Train: func(r step.Request, records *sqlite.Store) (step.Result, error) {
			return train.Step{
				JobsOn: func(step.RunnerParams) (port.Jobs, error) { return paidJobs{jobs}, nil },
				Costs:  record.Costs{Runs: records.Runs()}, Approvals: records.Approvals(), Clock: step.Clock{Time: p.clock},
			}.Run(t.Context(), r)
		},
	}
	return p, jobs
}

type costDocument struct {
	Cost *struct {
		Estimate, Month delivery.Money
		Budget          *delivery.Budget
		Exceeds         string
	}
	Steps []struct {
		Name     string
		Estimate *delivery.CostEstimate
	}
}

// The estimate is in the plan, as text and in JSON; what is above the budget waits with
// exit code 4 and begins nothing, until a person allows it.
func TestRun_Budget(t *testing.T) {
	p, jobs := newPaidProgram(t, strings.Replace(paidProject, "timeout: 10h", "timeout: 100h", 1))
	text := p.run("plan", "--env", "prod", "--retrain")
	for _, want := range []string{
		"cost: train, at most 11.50 USD: ml.m5.large, 0.115 USD/h, 100h limit\n", "budget: 5 USD for a run, 10 USD for a month, of which 0 USD are spent\n",
		"warning: the estimate of 11.50 USD is above the budget of 5 USD for a run: the run will wait for an approval, with exit code 4\n",
	} {
		if text.code != 0 || !strings.Contains(text.stdout, want) {
			t.Errorf("exit code %d, no %q in\n%s%s", text.code, want, text.stdout, text.stderr)
		}
	}
	doc := decode[costDocument](t, p.run("plan", "--env", "prod", "--retrain", "--json"))
	if doc.Cost == nil || doc.Cost.Estimate.String() != "11.50 USD" || doc.Cost.Exceeds == "" || doc.Cost.Budget == nil || doc.Cost.Budget.PerRun.Amount != 5 {
		t.Errorf("cost in the plan = %+v", doc.Cost)
	}
	waiting := p.run("run", "--env", "prod", "--retrain", "--json")
	rep := last[app.RunReport](t, waiting)
	if waiting.code != 4 || rep.Outcome != delivery.OutcomeWaiting || !strings.Contains(rep.Cause, "above the budget of 5 USD for a run") || len(jobs.Submitted) > 0 {
		t.Fatalf("exit code %d, %s: %s; submitted %q; want it to wait", waiting.code, rep.Outcome, rep.Cause, jobs.Submitted)
	}
	if again := p.run("run", "--resume", string(rep.Run), "--json"); again.code != 4 || len(jobs.Submitted) > 0 {
		t.Errorf("resumed without a decision: exit code %d, submitted %q", again.code, jobs.Submitted)
	}
	done := p.run("approve", string(rep.Run), "--why", "the quarter's model", "--json")
	if done.code != 0 || len(jobs.Submitted) != 1 {
		t.Fatalf("approved: exit code %d, submitted %q\n%s%s", done.code, jobs.Submitted, done.stdout, done.stderr)
	}
	result := last[app.DecisionResult](t, done)
	i := slices.IndexFunc(result.Run.Steps, func(s app.StepReport) bool { return s.Name == "train" })
	if c := result.Run.Steps[i].Cost; c == nil || c.Amount == nil || c.Amount.String() != "0.46 USD" || c.Estimated {
		t.Errorf("cost of the training = %+v, want 0.46 USD", c)
	}
}

func TestRun_BudgetRejected(t *testing.T) {
	p, jobs := newPaidProgram(t, strings.Replace(paidProject, "timeout: 10h", "timeout: 100h", 1))
	rep := last[app.RunReport](t, p.run("run", "--env", "prod", "--retrain", "--json"))
	got := p.run("reject", string(rep.Run), "--why", "too dear", "--json")
	result := last[app.DecisionResult](t, got)
	if got.code != 0 && got.code != 1 || result.Run == nil || result.Run.Outcome != delivery.OutcomeFailed || !strings.Contains(result.Run.Cause, "rejected it: too dear") || len(jobs.Submitted) > 0 {
		t.Errorf("exit code %d, %s%s; submitted %q", got.code, got.stdout, got.stderr, jobs.Submitted)
	}
}

// The month's budget counts what all environments' runs cost, in its records; one whose
// end nobody saw counts by its estimate, and the next month begins with nothing.
func TestRun_BudgetOfAMonth(t *testing.T) {
	p, jobs := newPaidProgram(t, strings.Replace(paidProject, "per_month: 10 USD", "per_month: 2 USD", 1))
	begin := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	p.clock = func() time.Time { return begin }
	for i, env := range []string{"prod", "dev", "prod"} { // 0.46 USD each, estimated as 1.15 USD
		got := p.run("run", "--env", env, "--retrain", "--json")
		if want := map[bool]int{true: 0, false: 4}[i < 2]; got.code != want || len(jobs.Submitted) != min(i+1, 2) {
			t.Fatalf("run %d: exit code %d, want %d; submitted %q\n%s%s", i+1, got.code, want, jobs.Submitted, got.stdout, got.stderr)
		}
	}
	doc := decode[costDocument](t, p.run("plan", "--env", "dev", "--retrain", "--json"))
	if doc.Cost == nil || doc.Cost.Month.String() != "0.92 USD" {
		t.Errorf("cost = %+v, want 0.92 USD spent", doc.Cost)
	}
	p.clock = func() time.Time { return begin.AddDate(0, 0, 7) }
	if got := p.run("run", "--env", "dev", "--retrain", "--json"); got.code != 0 || len(jobs.Submitted) != 3 {
		t.Errorf("in December: exit code %d, submitted %q\n%s%s", got.code, jobs.Submitted, got.stdout, got.stderr)
	}
}

// A cached result costs nothing again.
func TestRun_BudgetCached(t *testing.T) {
	p, jobs := newPaidProgram(t, strings.Replace(paidProject, "    timeout: 10h\n", "    timeout: 10h\n    when: changed\n", 1))
	for range 2 {
		if got := p.run("run", "--env", "prod", "--json"); got.code != 0 {
			t.Fatalf("exit code %d\n%s%s", got.code, got.stdout, got.stderr)
		}
	}
	doc := decode[costDocument](t, p.run("plan", "--env", "prod", "--retrain", "--json"))
	if len(jobs.Submitted) != 1 || doc.Cost == nil || doc.Cost.Month.String() != "0.46 USD" {
		t.Errorf("submitted %q, cost = %+v; want one job, 0.46 USD", jobs.Submitted, doc.Cost)
	}
}
