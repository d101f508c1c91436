package approve

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/event"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest/fake"
	"github.com/slipway-cd/slipway/internal/step"
)

const run = delivery.RunID("20260102-030405-abcd")

type testDecision struct {
	by, why string
	yes     bool
}

func TestRun(t *testing.T) {
	yes := func(names ...string) (all []testDecision) {
		for _, n := range names {
			all = append(all, testDecision{by: n, yes: true})
		}
		return all
	}
	pending := delivery.PendingApproval
	cases := []struct {
		name      string
		with      step.ApproveParams
		status    delivery.ModelStatus
		decisions []testDecision
		outcome   delivery.Outcome
		summary   string // part of it
		hint      string
		by        string
	}{
		{name: "no approval required", outcome: delivery.OutcomeSucceeded, summary: "no approval required"},
		{name: "by itself", with: step.ApproveParams{Model: true, Auto: true}, status: pending, outcome: delivery.OutcomeSucceeded, summary: "approved by auto: gates passed"},
		{name: "manual", with: step.ApproveParams{Model: true}, status: pending, outcome: delivery.OutcomeWaiting, summary: "model m:1 is pending", hint: "slipway approve m:1"},
		{name: "approved", with: step.ApproveParams{Model: true}, status: delivery.Approved, outcome: delivery.OutcomeSucceeded, summary: "approved by dan: fine"},
		{name: "rejected", with: step.ApproveParams{Model: true}, status: delivery.Rejected, outcome: delivery.OutcomeFailed, summary: "rejected by dan: fine"},
		{name: "rejected is not overruled", with: step.ApproveParams{Model: true, Auto: true}, status: delivery.Rejected, outcome: delivery.OutcomeFailed, summary: "rejected by dan"},
		{name: "no decision yet", with: step.ApproveParams{DeployApprovals: 1}, outcome: delivery.OutcomeWaiting, summary: "0 of 1", hint: "slipway approve " + string(run)},
		{name: "one is enough, the starter too", with: step.ApproveParams{DeployApprovals: 1}, decisions: yes("bob"), outcome: delivery.OutcomeSucceeded, by: "bob"},
		{name: "two others", with: step.ApproveParams{DeployApprovals: 2}, decisions: yes("ann", "cy"), outcome: delivery.OutcomeSucceeded, by: "ann,cy"},
		{name: "the starter is no other", with: step.ApproveParams{DeployApprovals: 2}, decisions: yes("bob", "ann"), outcome: delivery.OutcomeWaiting, summary: "1 of 2 approvals for prod, not counting bob", hint: "slipway approve"},
		{name: "a no", with: step.ApproveParams{DeployApprovals: 1}, decisions: []testDecision{{"ann", "", true}, {"cy", "friday", false}}, outcome: delivery.OutcomeFailed, summary: "cy rejected the deployment: friday"},
		{name: "the starter's no", with: step.ApproveParams{DeployApprovals: 2}, decisions: append(yes("ann", "cy"), testDecision{"bob", "", false}), outcome: delivery.OutcomeFailed, summary: "bob rejected the deployment"},
		{name: "both wait", with: step.ApproveParams{Model: true, DeployApprovals: 1}, status: pending, outcome: delivery.OutcomeWaiting, summary: "0 of 1", hint: "slipway approve m:1; slipway approve " + string(run)},
		{name: "a no wins over waiting", with: step.ApproveParams{Model: true, DeployApprovals: 1}, status: pending, decisions: []testDecision{{"ann", "", false}}, outcome: delivery.OutcomeFailed, summary: "ann rejected the deployment"},
		{name: "waiting wins over yes", with: step.ApproveParams{Model: true, DeployApprovals: 1}, status: pending, decisions: yes("ann"), outcome: delivery.OutcomeWaiting, hint: "slipway approve m:1"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			ledger, r := scene(t, c.with, c.status)
			for _, w := range c.decisions {
				_ = ledger.Approvals().Record(t.Context(), port.Approval{Run: run, Subject: port.ApproveDeploy, By: delivery.Actor{Name: w.by}, Approved: w.yes, Reason: w.why})
			}
			var emitted []delivery.GateResult
			r.Emit = func(e event.Event) { emitted = append(emitted, *e.GateResult) }
			res, err := Step{Models: ledger.Models(), Approvals: ledger.Approvals()}.Run(t.Context(), r)
			if err != nil || res.Outcome != c.outcome || !strings.Contains(res.Summary, c.summary) || res.Hint != c.hint && !strings.HasPrefix(res.Hint, c.hint+" ") {
				t.Fatalf("outcome = %s, summary %q, hint %q, error = %v, want %s, %q, %q", res.Outcome, res.Summary, res.Hint, err, c.outcome, c.summary, c.hint)
			}
			if (res.Cause == "") != (c.outcome == delivery.OutcomeSucceeded) || len(emitted) != len(res.GateResults) {
				t.Errorf("cause = %q, events of %v, want a cause unless it succeeded, and an event for each of %v", res.Cause, emitted, res.GateResults)
			}
			var out step.ApproveOutput
			_ = json.Unmarshal(res.Output, &out)
			if c.by != "" && strings.Join(out.By, ",") != c.by || c.with.Model != (out.Model != nil) {
				t.Errorf("output = %+v, want approved by %q, with a model: %v", out, c.by, c.with.Model)
			}
		})
	}
}

func scene(t *testing.T, w step.ApproveParams, status delivery.ModelStatus) (*fake.Records, step.Request) {
	t.Helper()
	ledger := &fake.Records{}
	with, _ := json.Marshal(w)
	r := step.Request{Run: run, StartedBy: delivery.Actor{Name: "bob"}, Environment: "prod", Spec: step.Spec{Name: "approve", Params: with}}
	if status != "" {
		m, _ := ledger.Models().Register(t.Context(), "m", fake.Digest(1), nil, delivery.Lineage{})
		if status != delivery.PendingApproval {
			_, _ = ledger.Models().Decide(t.Context(), m.ModelRef, delivery.ModelDecision{Status: status, By: delivery.Actor{Name: "dan"}, Why: "fine"})
		}
		reg, _ := json.Marshal(step.RegisterOutput{Model: m.ModelRef})
		r.Inputs = map[string]json.RawMessage{"register": reg}
	}
	return ledger, r
}

// TestRun_IgnoresOtherApprovals: another run's, another subject's, and a second word.
func TestRun_IgnoresOtherApprovals(t *testing.T) {
	ledger, r := scene(t, step.ApproveParams{DeployApprovals: 2}, "")
	for _, a := range []port.Approval{
		{Run: "20260101-000000-zzzz", Subject: port.ApproveDeploy, By: delivery.Actor{Name: "ann"}, Approved: true},
		{Run: run, Subject: "model m:1", By: delivery.Actor{Name: "cy"}, Approved: true},
		{Run: run, Subject: port.ApproveDeploy, By: delivery.Actor{Name: ""}, Approved: true},
		{Run: run, Subject: port.ApproveDeploy, By: delivery.Actor{Name: "dan"}, Approved: true},
		{Run: run, Subject: port.ApproveDeploy, By: delivery.Actor{Name: "dan"}, Approved: true},
	} {
		_ = ledger.Approvals().Record(t.Context(), a)
	}
	res, err := Step{Models: ledger.Models(), Approvals: ledger.Approvals()}.Run(t.Context(), r)
	if err != nil || res.Outcome != delivery.OutcomeWaiting || !strings.Contains(res.Summary, "1 of 2") {
		t.Errorf("outcome = %s (%q, %q), error = %v, want %s, %q", res.Outcome, res.Summary, res.Cause, err, delivery.OutcomeWaiting, "1 of 2")
	}
}

// TestRun_CountsApprovalsOfThisPlan: a decision on another plan or commit is none on
// this one; those of earlier versions name neither.
func TestRun_CountsApprovalsOfThisPlan(t *testing.T) {
	const commit, plan = "0123456789abcdef0123456789abcdef01234567", delivery.Digest("sha256:1")
	for _, c := range []struct {
		name     string
		approval port.Approval
		outcome  delivery.Outcome
	}{
		{"this plan", port.Approval{Commit: commit, Plan: plan, Approved: true}, delivery.OutcomeSucceeded},
		{"another plan", port.Approval{Commit: commit, Plan: "sha256:2", Approved: true}, delivery.OutcomeWaiting},
		{"another commit", port.Approval{Commit: "fedcba98", Plan: plan, Approved: true}, delivery.OutcomeWaiting},
		{"a no to another plan", port.Approval{Commit: commit, Plan: "sha256:2"}, delivery.OutcomeWaiting},
		{"of an earlier version", port.Approval{Approved: true}, delivery.OutcomeSucceeded},
	} {
		t.Run(c.name, func(t *testing.T) {
			ledger, r := scene(t, step.ApproveParams{DeployApprovals: 1}, "")
			r.Commit.SHA, r.PlanDigest = commit, plan
			c.approval.Run, c.approval.Subject, c.approval.By = run, port.ApproveDeploy, delivery.Actor{Name: "ann"}
			if err := ledger.Approvals().Record(t.Context(), c.approval); err != nil {
				t.Fatal(err)
			}
			res, err := Step{Models: ledger.Models(), Approvals: ledger.Approvals()}.Run(t.Context(), r)
			if err != nil || res.Outcome != c.outcome {
				t.Errorf("outcome = %s (%q), error = %v, want %s", res.Outcome, res.Summary, err, c.outcome)
			}
		})
	}
}

// TestRun_CountsPersonOnce: whoever is the same person by two means approves once.
func TestRun_CountsPersonOnce(t *testing.T) {
	hub := delivery.Actor{Issuer: "https://github.com", Subject: "7", Name: "ann", Means: delivery.MeansCI}
	other := delivery.Actor{Issuer: "https://github.com", Subject: "8", Name: "cy", Means: delivery.MeansCI}
	for _, c := range []struct {
		name     string
		starter  delivery.Actor
		decision []delivery.Actor
		outcome  delivery.Outcome
	}{
		{"two by issuer", delivery.Actor{Name: "bob"}, []delivery.Actor{hub, other}, delivery.OutcomeSucceeded},
		{"one by issuer and by name", delivery.Actor{Name: "bob"}, []delivery.Actor{hub, {Name: "ann", Means: delivery.MeansOS}}, delivery.OutcomeWaiting},
		{"one user of the system by two names", delivery.Actor{Name: "bob"}, []delivery.Actor{
			{Issuer: "os:build-1", Subject: "0", Name: "ann", Account: "root", Means: delivery.MeansFlag}, {Issuer: "os:build-1", Subject: "0", Name: "cy", Account: "root", Means: delivery.MeansFlag},
		}, delivery.OutcomeWaiting},
		{"two users of the system", delivery.Actor{Name: "bob"}, []delivery.Actor{
			{Issuer: "os:build-1", Subject: "1001", Name: "ann", Means: delivery.MeansOS}, {Issuer: "os:build-1", Subject: "1002", Name: "cy", Means: delivery.MeansOS},
		}, delivery.OutcomeSucceeded},
		{"one by issuer and as a user of the system", delivery.Actor{Name: "bob"}, []delivery.Actor{
			hub, {Issuer: "os:build-1", Subject: "1001", Name: "ann", Means: delivery.MeansOS},
		}, delivery.OutcomeWaiting},
		{"one by issuer and under another name", delivery.Actor{Name: "bob"}, []delivery.Actor{
			hub, {Issuer: "os:build-1", Subject: "1001", Name: "cy", Account: "ann", Means: delivery.MeansFlag},
		}, delivery.OutcomeWaiting},
		{"the starter by another means", hub, []delivery.Actor{other, {Name: "ann", Means: delivery.MeansFlag}}, delivery.OutcomeWaiting},
	} {
		t.Run(c.name, func(t *testing.T) {
			ledger, r := scene(t, step.ApproveParams{DeployApprovals: 2}, "")
			r.StartedBy = c.starter
			for _, by := range c.decision {
				if err := ledger.Approvals().Record(t.Context(), port.Approval{Run: run, Subject: port.ApproveDeploy, By: by, Approved: true}); err != nil {
					t.Fatal(err)
				}
			}
			res, err := Step{Models: ledger.Models(), Approvals: ledger.Approvals()}.Run(t.Context(), r)
			if err != nil || res.Outcome != c.outcome {
				t.Errorf("outcome = %s (%q), error = %v, want %s", res.Outcome, res.Summary, err, c.outcome)
			}
		})
	}
}

// TestRun_CountsListedApprovers: where a policy lists people, an approval of another one
// neither counts, nor keeps a listed one of the same name from counting.
func TestRun_CountsListedApprovers(t *testing.T) {
	root := delivery.Actor{Issuer: "os:build-1", Subject: "0", Name: "ann", Account: "root", Means: delivery.MeansFlag}
	ann := delivery.Actor{Issuer: "https://github.com", Subject: "7", Name: "ann", Means: delivery.MeansCI}
	cy := delivery.Actor{Issuer: "https://github.com", Subject: "8", Name: "cy", Means: delivery.MeansCI}
	for _, c := range []struct {
		name     string
		lists    [][]string
		decision []delivery.Actor
		outcome  delivery.Outcome
		summary  string
	}{
		{"listed by name", [][]string{{"ann"}}, []delivery.Actor{ann}, delivery.OutcomeSucceeded, "approved by ann"},
		{"listed by issuer and subject", [][]string{{"https://github.com 7"}}, []delivery.Actor{ann}, delivery.OutcomeSucceeded, "approved by ann"},
		{"listed at another issuer", [][]string{{"https://gitlab.com ann"}}, []delivery.Actor{ann}, delivery.OutcomeWaiting, "does not list: ann"},
		{"claimed", [][]string{{"ann"}}, []delivery.Actor{root}, delivery.OutcomeWaiting, "does not list: ann (root of os:build-1)"},
		{"claimed before", [][]string{{"ann"}}, []delivery.Actor{root, ann}, delivery.OutcomeSucceeded, "approved by ann"},
		{"in one of two lists", [][]string{{"ann", "cy"}, {"ann"}}, []delivery.Actor{cy}, delivery.OutcomeWaiting, "does not list: cy"},
		{"an empty list", [][]string{{}}, []delivery.Actor{ann}, delivery.OutcomeWaiting, "does not list: ann"},
		{"vouched for by no one", [][]string{{"ann"}}, []delivery.Actor{{Name: "ann"}}, delivery.OutcomeWaiting, "does not list: ann"},
	} {
		t.Run(c.name, func(t *testing.T) {
			ledger, r := scene(t, step.ApproveParams{DeployApprovals: 1, Approvers: c.lists}, "")
			for _, by := range c.decision {
				if err := ledger.Approvals().Record(t.Context(), port.Approval{Run: run, Subject: port.ApproveDeploy, By: by, Approved: true}); err != nil {
					t.Fatal(err)
				}
			}
			res, err := Step{Models: ledger.Models(), Approvals: ledger.Approvals()}.Run(t.Context(), r)
			if err != nil || res.Outcome != c.outcome || !strings.Contains(res.Summary, c.summary) {
				t.Errorf("outcome = %s (%q), error = %v, want %s, %q", res.Outcome, res.Summary, err, c.outcome, c.summary)
			}
		})
	}
}

// quick is a person who rejects in the moment before the automatic approval.
type quick struct{ port.ModelRegistry }

func (q quick) Decide(ctx context.Context, ref delivery.ModelRef, d delivery.ModelDecision) (delivery.ModelVersion, error) {
	no := delivery.ModelDecision{Status: delivery.Rejected, By: delivery.Actor{Name: "ann"}, Why: "stop"}
	if _, err := q.ModelRegistry.Decide(ctx, ref, no); err != nil {
		return delivery.ModelVersion{}, err
	}
	return q.ModelRegistry.Decide(ctx, ref, d)
}

func TestRun_PersonDecidesFirst(t *testing.T) {
	ledger, r := scene(t, step.ApproveParams{Model: true, Auto: true}, delivery.PendingApproval)
	res, err := Step{Models: quick{ledger.Models()}, Approvals: ledger.Approvals()}.Run(t.Context(), r)
	if err != nil || res.Outcome != delivery.OutcomeFailed || !strings.Contains(res.Cause, "rejected by ann: stop") {
		t.Errorf("outcome = %s (%q, %q), error = %v, want %s, %q", res.Outcome, res.Summary, res.Cause, err, delivery.OutcomeFailed, "rejected by ann: stop")
	}
}

func TestRun_Errors(t *testing.T) {
	ledger, r := scene(t, step.ApproveParams{Model: true}, delivery.Approved)
	reg, _ := json.Marshal(step.RegisterOutput{Model: delivery.ModelRef{Group: "m", Version: 1, Digest: fake.Digest(2)}})
	r.Inputs["register"] = reg
	if _, err := (Step{Models: ledger.Models(), Approvals: ledger.Approvals()}).Run(t.Context(), r); !fault.Is(err, fault.Corrupt) {
		t.Errorf("another artifact: %v", err)
	}
	r.Inputs = nil
	if _, err := (Step{Models: ledger.Models(), Approvals: ledger.Approvals()}).Run(t.Context(), r); !fault.Is(err, fault.Internal) {
		t.Errorf("nothing registered: %v", err)
	}
	down := errors.New("disk")
	ledger, r = scene(t, step.ApproveParams{DeployApprovals: 1}, "")
	ledger.Fail = func(string) error { return down }
	if _, err := (Step{Models: ledger.Models(), Approvals: ledger.Approvals()}).Run(t.Context(), r); !errors.Is(err, down) {
		t.Errorf("error = %v, want %v", err, down)
	}
}
