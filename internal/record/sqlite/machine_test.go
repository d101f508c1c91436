package sqlite_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest"
	"github.com/slipway-cd/slipway/internal/port/porttest/fake"
	"github.com/slipway-cd/slipway/internal/record"
	"github.com/slipway-cd/slipway/internal/record/sqlite"
	"github.com/slipway-cd/slipway/internal/record/storetest"
)

// onMachine opens the records in the log as the machine sees them, which has all of the
// suites' environments for itself.
func onMachine(t *testing.T, objects port.ObjectStore, id string) *sqlite.Store {
	t.Helper()
	return seenBy(t, openMachine(t, objects), id, "dev", "prod", "staging", "nowhere")
}

func seenBy(t *testing.T, s *sqlite.Store, id string, environments ...delivery.Environment) *sqlite.Store {
	t.Helper()
	seen, err := s.OnMachine(id, environments)
	if err != nil {
		t.Fatal(err)
	}
	return seen
}

// TestOnMachine: a machine's own environments keep every promise of the records, beside
// another machine's with the same names and runs in them.
func TestOnMachine(t *testing.T) {
	objects := perTest()
	storetest.TestStore(t, func(t *testing.T) record.Store { return onMachine(t, objects(t), "here") })
	t.Run("projects", func(t *testing.T) {
		storetest.TestProjects(t, func(t *testing.T) func(delivery.Project) record.Store {
			s := &fake.ObjectStore{}
			return func(p delivery.Project) record.Store {
				return seenBy(t, openView(t, t.TempDir(), s, p, 0), "here", "dev", "prod")
			}
		})
	})
	t.Run("deployments", func(t *testing.T) {
		porttest.TestDeployments(t, func(t *testing.T) func() port.DeploymentStore {
			s := &fake.ObjectStore{}
			other := onMachine(t, s, "there").Deployments()
			for _, env := range []delivery.Environment{"dev", "prod", "staging"} {
				d, err := other.Begin(t.Context(), delivery.Deployment{Environment: env, Release: "r-000000000000", Run: "20261124-090000-0001"})
				if err == nil {
					err = other.Accept(t.Context(), d.ID, time.Now())
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			return func() port.DeploymentStore { return onMachine(t, s, "here").Deployments() }
		})
	})
}

// TestOnMachine_OthersSeeNothing: what a machine has for itself is found by no other
// one, and changed by none; what is shared is.
func TestOnMachine_OthersSeeNothing(t *testing.T) {
	objects := &fake.ObjectStore{}
	here, there, cluster := seenBy(t, openMachine(t, objects), "here", "dev"), seenBy(t, openMachine(t, objects), "there", "dev"), openMachine(t, objects)
	local, shared := newRun(1), newRun(2)
	local.Environment, local.Host, shared.Environment = "dev", "laptop", "prod"
	for _, r := range []record.Run{local, shared} {
		queued, err := here.Runs().Enqueue(t.Context(), r)
		if err != nil || queued.Environment != r.Environment {
			t.Fatalf("queued in %s (error = %v), want %s", queued.Environment, err, r.Environment)
		}
	}
	d, err := here.Deployments().Begin(t.Context(), delivery.Deployment{Environment: "dev", Release: "r-000000000000", Run: local.ID})
	if err != nil || d.Environment != "dev" {
		t.Fatalf("deployment in %s, error = %v", d.Environment, err)
	}
	wantRuns(t, here, local.ID, shared.ID)
	for name, other := range map[string]*sqlite.Store{"with a dev of its own": there, "whose dev is shared": cluster} {
		t.Run(name, func(t *testing.T) {
			wantRuns(t, other, shared.ID)
			testUnreachable(t, other, local.ID, d.ID)
		})
	}
	got, err := here.Runs().Get(t.Context(), local.ID)
	if err != nil || got.State != record.Queued || !got.CancelledBy.IsZero() || got.Turn != 1 {
		t.Errorf("run after others tried to change it: %+v, error = %v", got.RunSummary, err)
	}
	if err := here.Deployments().Accept(t.Context(), d.ID, time.Now()); err != nil {
		t.Errorf("accept: %v", err)
	}
}

func testUnreachable(t *testing.T, other *sqlite.Store, run delivery.RunID, deployment int64) {
	if head, found, err := other.Runs().Head(t.Context(), "dev"); err != nil || found {
		t.Errorf("head of dev = %s, error = %v, want none", head.ID, err)
	}
	if _, found, err := other.Deployments().Current(t.Context(), "dev"); err != nil || found {
		t.Errorf("a deployment in dev, error = %v, want none", err)
	}
	if all, _, err := other.Deployments().List(t.Context(), port.DeploymentFilter{}, port.Page{}); err != nil || len(all) > 0 {
		t.Errorf("deployments = %v, error = %v, want none", all, err)
	}
	_, get := other.Runs().Get(t.Context(), run)
	_, requeue := other.Runs().Requeue(t.Context(), run)
	_, retake := other.Runs().Retake(t.Context(), run)
	for act, err := range map[string]error{
		"get": get, "requeue": requeue, "retake": retake,
		"start":       other.Runs().Start(t.Context(), run, 1, "there", time.Now()),
		"cancel":      other.Runs().RequestCancel(t.Context(), run, delivery.Actor{Name: "ana"}),
		"finish":      other.Runs().Finish(t.Context(), run, record.RunResult{Outcome: delivery.OutcomeFailed}),
		"save a step": other.Runs().SaveStep(t.Context(), record.StepRecord{Run: run, Name: "unit", Attempt: 1}),
	} {
		if !fault.Is(err, fault.Conflict) || fault.HintOf(err) == "" {
			t.Errorf("%s: error = %v, want %s with a hint", act, err, fault.Conflict)
		}
	}
	for act, err := range map[string]error{
		"accept": other.Deployments().Accept(t.Context(), deployment, time.Now()),
		"end":    other.Deployments().End(t.Context(), deployment, delivery.Removed, "", time.Now()),
	} {
		if !fault.Is(err, fault.NotFound) {
			t.Errorf("%s: error = %v, want %s", act, err, fault.NotFound)
		}
	}
}

// TestOnMachine_NoLonger: an environment that was moved to a cluster begins anew there,
// and what the machine had is not mixed with it.
func TestOnMachine_NoLonger(t *testing.T) {
	s := openMachine(t, &fake.ObjectStore{})
	run := newRun(1)
	if _, err := seenBy(t, s, "here", run.Environment).Runs().Enqueue(t.Context(), run); err != nil {
		t.Fatal(err)
	}
	wantRuns(t, seenBy(t, s, "here"))
	wantRuns(t, seenBy(t, s, "here", run.Environment), run.ID)
}

func TestOnMachine_Refuses(t *testing.T) {
	s := openMachine(t, &fake.ObjectStore{})
	for _, id := range []string{"", "a@b", "a'b"} {
		if _, err := s.OnMachine(id, nil); !fault.Is(err, fault.Invalid) {
			t.Errorf("machine %q: error = %v, want %s", id, err, fault.Invalid)
		}
	}
	if _, err := s.OnMachine("here", []delivery.Environment{"dev@there"}); !fault.Is(err, fault.Invalid) {
		t.Errorf("error = %v, want %s", err, fault.Invalid)
	}
}

// wantRuns fails the test unless the store lists these runs, and as unfinished too.
func wantRuns(t *testing.T, s *sqlite.Store, want ...delivery.RunID) {
	t.Helper()
	all, err := port.Collect(record.AllRuns(t.Context(), s.Runs(), ""))
	if err != nil {
		t.Fatal(err)
	}
	unfinished, err := s.Runs().Unfinished(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for name, runs := range map[string][]record.RunSummary{"runs": all, "unfinished runs": unfinished} {
		got := map[delivery.RunID]bool{}
		for _, r := range runs {
			got[r.ID] = true
		}
		expected := map[delivery.RunID]bool{}
		for _, id := range want {
			expected[id] = true
		}
		if diff := cmp.Diff(expected, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
