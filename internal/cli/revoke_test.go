package cli_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/app"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port/porttest/fake"
	"github.com/slipway-cd/slipway/internal/record/sqlite"
	"github.com/slipway-cd/slipway/internal/step"
)

// newModelsProgram is a program whose prod has had two releases, with model 1 and then
// with model 2, which is deployed. Its rollbacks are recorded.
func newModelsProgram(t *testing.T) *program {
	p := newOrderedProgram(t)
	p.useFile(modelProject)
	version := 0
	p.does[step.Register] = func(_ step.Request, records *sqlite.Store) (step.Result, error) {
		version++
		m, err := records.Models().Register(t.Context(), "prices", fake.Digest(version), nil, delivery.Lineage{})
		if err != nil {
			return step.Result{}, err
		}
		return step.Succeed("", step.RegisterOutput{Model: m.ModelRef})
	}
	p.does[step.Deploy] = func(r step.Request, records *sqlite.Store) (step.Result, error) {
		registered, _, err := step.OutputOf[step.RegisterOutput](r.Inputs, step.Register)
		if err != nil {
			return step.Result{}, err
		}
		id, err := recordDeploymentOf(t, r, records, &registered.Model)
		if err != nil {
			return step.Result{}, err
		}
		return step.Succeed("", step.DeployOutput{Release: id})
	}
	p.does[step.Rollback] = func(r step.Request, records *sqlite.Store) (step.Result, error) {
		params, err := step.ParamsOf[step.RollbackParams](r.Spec)
		if err != nil {
			return step.Result{}, err
		}
		d, err := records.Deployments().Begin(t.Context(), delivery.Deployment{
			Environment: r.Environment, Release: params.Release, Run: r.Run, By: "ann", Reason: params.Reason,
		})
		if err == nil {
			err = records.Deployments().Accept(t.Context(), d.ID, time.Now())
		}
		if err != nil {
			return step.Result{}, err
		}
		return step.Succeed("", step.DeployOutput{Release: params.Release})
	}
	for range 2 {
		waits := p.waitingRun()
		if got := p.run("approve", string(waits.Run), "--by", "ben", "--why", "good"); got.code != 0 {
			t.Fatal(got.stderr)
		}
	}
	return p
}

// A person who takes an approval back says what happens where the model is deployed.
func TestReject_ApprovedModel(t *testing.T) {
	deployed := func(p *program) (model int, reason string) {
		st := p.status("prod")
		return st.Model.Version, st.History[0].Reason
	}
	t.Run("asks", func(t *testing.T) {
		p := newModelsProgram(t)
		got := p.run("reject", "prices:2", "--why", "biased")
		for _, want := range []string{"model prices:2 is deployed in prod (r-", "--serving rollback", "--serving keep"} {
			if got.code != 2 || !strings.Contains(got.stderr, want) {
				t.Errorf("exit code %d, want 2 and %q: %s", got.code, want, got.stderr)
			}
		}
		if all := decode[[]delivery.ModelVersion](t, p.run("models", "--json")); all[0].Status != delivery.Approved {
			t.Errorf("%s is %s, want it approved as before", all[0], all[0].Status)
		}
	})
	t.Run("keep", func(t *testing.T) {
		p := newModelsProgram(t)
		if got := p.run("reject", "prices:2", "--why", "biased", "--serving", "keep"); got.code != 0 || !strings.Contains(got.stdout, "prices:2 is Rejected") {
			t.Errorf("exit code %d: %s%s", got.code, got.stdout, got.stderr)
		}
		if model, _ := deployed(p); model != 2 {
			t.Errorf("model %d is deployed, want 2", model)
		}
		later := last[app.DecisionResult](t, p.run("reject", "prices:2", "--why", "biased", "--serving", "rollback", "--json"))
		if model, _ := deployed(p); model != 1 || len(later.Rollbacks) != 1 {
			t.Errorf("after a second thought model %d is deployed, want 1; rollbacks %+v", model, later.Rollbacks)
		}
	})
	t.Run("rollback", func(t *testing.T) {
		p := newModelsProgram(t)
		got := p.run("reject", "prices:2", "--why", "biased", "--serving", "rollback", "--by", "cy", "--json")
		result := last[app.DecisionResult](t, got)
		if got.code != 0 || len(result.Rollbacks) != 1 || result.Rollbacks[0].Outcome != delivery.OutcomeDeployed || result.Model.Status != delivery.Rejected {
			t.Fatalf("exit code %d, %+v: %s", got.code, result, got.stderr)
		}
		if model, reason := deployed(p); model != 1 || reason != "model prices:2 was rejected by cy: biased" {
			t.Errorf("model %d is deployed because %q, want 1", model, reason)
		}
	})
	t.Run("nothing to roll back to", func(t *testing.T) {
		p := newModelsProgram(t)
		if got := p.run("reject", "prices:1", "--why", "leak"); got.code != 0 {
			t.Fatalf("a model that is deployed nowhere: exit code %d: %s", got.code, got.stderr)
		}
		got := p.run("reject", "prices:2", "--why", "leak", "--serving", "rollback")
		if got.code != 2 || !strings.Contains(got.stderr, "no accepted release before") {
			t.Errorf("exit code %d: %s", got.code, got.stderr)
		}
		if m := decode[app.ModelDetails](t, p.run("models", "show", "prices:2", "--json")); m.Status != delivery.Approved || len(m.Deployments) != 1 {
			t.Errorf("%s is %s, deployed %d times, want it approved and deployed once", m, m.Status, len(m.Deployments))
		}
		if got := p.run("rollback", "--env", "prod", "--to", string(p.status("prod").Replaced)); got.code != 1 || !strings.Contains(got.stderr, "model prices:1, which was rejected") {
			t.Errorf("roll back to a rejected model: exit code %d: %s", got.code, got.stderr)
		}
	})
}

// Decisions are revised with a reason, and all of them are kept.
func TestModels_History(t *testing.T) {
	p := newModelsProgram(t)
	for _, args := range []string{"reject prices:1 --why leak --by cy", "approve prices:1 --why mistaken --by dan"} {
		if got := p.run(strings.Fields(args)...); got.code != 0 {
			t.Fatalf("%s: exit code %d: %s", args, got.code, got.stderr)
		}
	}
	m := decode[app.ModelDetails](t, p.run("models", "show", "prices:1", "--json"))
	var got [][]string
	for _, d := range m.Decisions {
		got = append(got, []string{string(d.Status), d.By.Name, d.Why})
	}
	want := [][]string{{"Approved", "ben", "good"}, {"Rejected", "cy", "leak"}, {"Approved", "dan", "mistaken"}}
	if diff := cmp.Diff(want, got); diff != "" || m.DecidedBy != "dan" || len(m.Deployments) != 0 {
		t.Errorf("decided by %s, decisions (-want +got):\n%s", m.DecidedBy, diff)
	}
	text := p.run("models", "show", "prices:2").stdout
	for _, want := range []string{"prices:2  Approved\n", "  deployed  r-", " in prod\n", "DECIDED", "Approved  ben  good"} {
		if !strings.Contains(text, want) {
			t.Errorf("stdout does not contain %q:\n%s", want, text)
		}
	}
	p.run("reject", "prices:1", "--why", "leak")
	if got := p.run("approve", "prices:1"); got.code != 2 || !strings.Contains(got.stderr, "a reason is required, since it was rejected by ann: leak") {
		t.Errorf("approve without a reason: exit code %d: %s", got.code, got.stderr)
	}
}
