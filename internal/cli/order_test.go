package cli_test

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/app"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port/porttest/fake"
	"github.com/slipway-cd/slipway/internal/record/sqlite"
	"github.com/slipway-cd/slipway/internal/step"
	"github.com/slipway-cd/slipway/internal/step/approve"
)

const modelProject = `version: 1
service: api
image: {build: {go: .}, repository: api}
model:
  group: prices
  train: {run: train, inputs: ["*.go"]}
  evaluate: {run: evaluate, inputs: ["*.go"], gates: [accuracy > 0]}
  approve: manual
environments:
  prod: {on: {push: main}, target: {local: {}}}
`

// newOrderedProgram is a program whose approvals are real, and whose deployments are
// recorded: each run delivers a release of its own.
func newOrderedProgram(t *testing.T) *program {
	p := newProgram(t)
	p.does = map[step.Kind]func(step.Request, *sqlite.Store) (step.Result, error){
		step.Approve: func(r step.Request, records *sqlite.Store) (step.Result, error) {
			return approve.Step{Models: records.Models(), Approvals: records.Approvals(), Monitors: p.monitors}.Run(t.Context(), r)
		},
		step.Register: func(r step.Request, records *sqlite.Store) (step.Result, error) {
			m, err := records.Models().Register(t.Context(), "prices", fake.Digest(1), nil, delivery.Lineage{})
			if err != nil {
				return step.Result{}, err
			}
			return step.Succeed("", step.RegisterOutput{Model: m.ModelRef})
		},
		step.Deploy: func(r step.Request, records *sqlite.Store) (step.Result, error) {
			id, err := recordDeployment(t, r, records)
			if err != nil {
				return step.Result{}, err
			}
			return step.Succeed("", step.DeployOutput{Release: id})
		},
	}
	return p
}

// recordDeployment records that the run delivers a release.
func recordDeployment(t *testing.T, r step.Request, records *sqlite.Store) (delivery.ReleaseID, error) {
	return recordDeploymentOf(t, r, records, nil)
}

func recordDeploymentOf(t *testing.T, r step.Request, records *sqlite.Store, model *delivery.ModelRef) (delivery.ReleaseID, error) {
	rel, err := records.Releases().Save(t.Context(), delivery.Release{
		Schema: delivery.ReleaseForm, Service: "api", Model: model, Image: delivery.Image{Repository: "api", Digest: delivery.DigestOf([]byte(r.Run))},
	}, delivery.Origin{Run: r.Run})
	if err != nil {
		return "", err
	}
	d, err := records.Deployments().Begin(t.Context(), delivery.Deployment{Environment: r.Environment, Release: rel.ID, Run: r.Run, By: r.StartedBy.String()})
	if err != nil {
		return "", err
	}
	return rel.ID, records.Deployments().Accept(t.Context(), d.ID, time.Now())
}

// waitingRun starts a run of prod, which waits.
func (p *program) waitingRun() app.RunReport {
	p.t.Helper()
	got := p.run("run", "--env", "prod", "--json")
	if got.code != 4 {
		p.t.Fatalf("exit code %d, want 4: %s%s", got.code, got.stdout, got.stderr)
	}
	return last[app.RunReport](p.t, got)
}

func (p *program) status(env string) app.Status {
	p.t.Helper()
	return decode[app.Status](p.t, p.run("status", "--env", env, "--json"))
}

// A run whose turn has passed is not approved without a word.
func TestApprove_OvertakenRun(t *testing.T) {
	overtaken := func(t *testing.T) (p *program, older, newer app.RunReport) {
		p = newOrderedProgram(t)
		older, newer = p.waitingRun(), p.waitingRun()
		if got := p.run("approve", string(newer.Run)); got.code != 0 {
			t.Fatalf("approve the newer run: exit code %d: %s", got.code, got.stderr)
		}
		return p, older, newer
	}
	t.Run("status", func(t *testing.T) {
		p, older, newer := overtaken(t)
		st := p.status("prod")
		if len(st.Waiting) != 1 || st.Waiting[0].Run != older.Run || st.Waiting[0].OvertakenBy == nil || st.Waiting[0].OvertakenBy.Run != newer.Run {
			t.Errorf("waiting runs = %+v, want %s, overtaken by %s", st.Waiting, older.Run, newer.Run)
		}
		text := strings.Join(strings.Fields(p.run("status", "--env", "prod").stdout), " ") // without line breaks
		for _, want := range []string{
			"waiting run " + string(older.Run) + ": 0 of 1 approvals for prod commit ccccccc, by ann",
			"overtaken by run " + string(newer.Run) + " (commit ccccccc, by ann), deployed since ",
			"slipway approve " + string(older.Run) + " --even-though-older",
		} {
			if !strings.Contains(text, want) {
				t.Errorf("status does not contain %q:\n%s", want, text)
			}
		}
	})
	t.Run("approve", func(t *testing.T) {
		p, older, newer := overtaken(t)
		release := p.status("prod").Release
		got := p.run("approve", string(older.Run))
		for _, want := range []string{"was overtaken by run " + string(newer.Run), "commit ccccccc", "--even-though-older"} {
			if got.code != 2 || !strings.Contains(got.stderr, want) {
				t.Errorf("exit code %d, want 2 and %q: %s", got.code, want, got.stderr)
			}
		}
		if st := p.status("prod"); st.Release != release || len(st.Waiting) != 1 {
			t.Errorf("release %s, waiting %+v; want %s, and the run still waiting", st.Release, st.Waiting, release)
		}
	})
	t.Run("even though older", func(t *testing.T) {
		p, older, newer := overtaken(t)
		got := p.run("approve", string(older.Run), "--even-though-older", "--json")
		if result := last[app.DecisionResult](t, got); got.code != 0 || len(result.Runs) != 1 || result.Run == nil || result.Run.Outcome != delivery.OutcomeDeployed {
			t.Errorf("exit code %d, %+v: %s", got.code, result, got.stderr)
		}
		store, err := sqlite.Open(t.Context(), filepath.Join(p.dir, ".slipway", "slipway.db"), "api", nil)
		if err != nil {
			t.Fatal(err)
		}
		defer store.Close()
		decisions, err := store.Approvals().List(t.Context(), older.Run)
		if err != nil || len(decisions) != 2 || string(decisions[0].Subject) != "older than "+string(newer.Run) || decisions[1].Subject != "deploy" {
			t.Errorf("recorded decisions = %+v, %v", decisions, err)
		}
	})
	t.Run("reject", func(t *testing.T) {
		p, older, _ := overtaken(t)
		if got := p.run("reject", string(older.Run), "--why", "old"); got.code != 0 || !strings.HasPrefix(got.stdout, "failed  run ") {
			t.Errorf("exit code %d: %s%s", got.code, got.stdout, got.stderr)
		}
	})
	t.Run("in order", func(t *testing.T) {
		p := newOrderedProgram(t)
		for _, r := range []app.RunReport{p.waitingRun(), p.waitingRun()} {
			if got := p.run("approve", string(r.Run)); got.code != 0 {
				t.Errorf("approve: exit code %d: %s", got.code, got.stderr)
			}
		}
	})
}

// A decision on a model continues all runs that wait for it, the oldest first.
func TestApprove_ModelOfSeveralRuns(t *testing.T) {
	newModelProgram := func(t *testing.T) (p *program, runs []delivery.RunID) {
		p = newOrderedProgram(t)
		p.useFile(modelProject)
		for range 3 {
			runs = append(runs, p.waitingRun().Run)
		}
		return p, runs
	}
	continued := func(t *testing.T, got output, outcome delivery.Outcome) (ids []delivery.RunID) {
		result := last[app.DecisionResult](t, got)
		for _, r := range result.Runs {
			if ids = append(ids, r.Run); r.Outcome != outcome {
				t.Errorf("run %s: %s (%s), want %s", r.Run, r.Outcome, r.Cause, outcome)
			}
		}
		return ids
	}
	for name, c := range map[string]struct {
		args    string
		outcome delivery.Outcome
	}{
		"approve":     {"approve prices:1", delivery.OutcomeDeployed},
		"approve run": {"approve RUN", delivery.OutcomeDeployed},
		"reject":      {"reject prices:1 --why holiday", delivery.OutcomeFailed},
	} {
		t.Run(name, func(t *testing.T) {
			p, runs := newModelProgram(t)
			got := p.run(append(strings.Fields(strings.Replace(c.args, "RUN", string(runs[1]), 1)), "--json")...)
			if diff := cmp.Diff(runs, continued(t, got, c.outcome)); got.code != 0 || diff != "" {
				t.Errorf("exit code %d, continued runs (-want +got):\n%s%s", got.code, diff, got.stderr)
			}
		})
	}
	t.Run("no wait", func(t *testing.T) {
		p, runs := newModelProgram(t)
		result := decode[app.DecisionResult](t, p.run("approve", "prices:1", "--no-wait", "--json"))
		if diff := cmp.Diff(runs, result.WaitingRuns); diff != "" || result.WaitingRun != runs[0] {
			t.Errorf("waiting runs (-want +got), the first is %s:\n%s", result.WaitingRun, diff)
		}
	})
	t.Run("overtaken", func(t *testing.T) {
		p, runs := newModelProgram(t)
		without := strings.Replace(modelProject, modelProject[strings.Index(modelProject, "model:"):strings.Index(modelProject, "environments:")], "", 1)
		p.useFile(without)
		newer := last[app.RunReport](t, p.run("run", "--env", "prod", "--json"))
		got := p.run("approve", "prices:1", "--json")
		result := last[app.DecisionResult](t, got)
		if got.code != 4 || len(result.Runs) != 0 || len(result.Overtaken) != 3 {
			raw, _ := json.Marshal(result)
			t.Fatalf("exit code %d, want 4, and all three runs overtaken: %s", got.code, raw)
		}
		for i, w := range result.Overtaken {
			if w.Run != runs[i] || w.OvertakenBy.Run != newer.Run {
				t.Errorf("run %d is %s, overtaken by %s; want %s, %s", i, w.Run, w.OvertakenBy.Run, runs[i], newer.Run)
			}
		}
		if got := p.run("approve", "prices:1", "--even-though-older"); got.code != 2 {
			t.Errorf("exit code %d, want 2", got.code)
		}
		if got := p.run("approve", string(runs[2]), "--even-though-older"); got.code != 0 {
			t.Errorf("continue the last run: exit code %d: %s", got.code, got.stderr)
		}
	})
}
