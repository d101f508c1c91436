package deploy

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest/fake"
	"github.com/slipway-cd/slipway/internal/release"
	"github.com/slipway-cd/slipway/internal/step"
	"github.com/slipway-cd/slipway/internal/step/rollout"
	"github.com/slipway-cd/slipway/internal/step/trust"
)

const env = delivery.Environment("prod")

func newStep(w *fake.Environment) Step {
	return Step{
		Services: rollout.Services{
			Targets: port.Targets{"local": w.Target}, Prober: w.Prober,
			Releases: w.Records.Releases(), Deployments: w.Records.Deployments(), Models: w.Records.Models(),
		},
		Trust: trust.Verifier{Attestations: &fake.AttestationStore{}, Signatures: fake.Verifier{}},
	}
}

// unfulfilledPolicy is a policy that nothing in these tests fulfils.
var unfulfilledPolicy = &step.TrustParams{TrustPolicy: fake.TrustPolicy("ann"), Require: []string{step.RequireSignature}}

func request(w step.DeployParams) step.Request {
	w.Target = "local"
	with, _ := json.Marshal(w)
	return step.Request{
		Run: "20260102-000000-bbbb", Service: "api", Environment: env, StartedBy: delivery.Actor{Name: "bob"}, Attempt: 1,
		Commit: delivery.Commit{SHA: strings.Repeat("a", 40), Tree: strings.Repeat("b", 40)},
		Spec:   step.Spec{Name: "deploy", Kind: step.Deploy, Params: with},
	}
}

func raw(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}

func outputOf(t *testing.T, res step.Result) step.DeployOutput {
	t.Helper()
	var d step.DeployOutput
	if err := json.Unmarshal(res.Output, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// pipelineOutputs is what the steps of a delivery leave.
func pipelineOutputs(model delivery.ModelRef) map[string]json.RawMessage {
	return map[string]json.RawMessage{
		"test.unit": raw(step.TestOutput{Passed: 3}),
		"scan":      raw(step.ScanOutput{Verdict: delivery.Passed, SBOMs: &port.SBOMs{CycloneDX: port.Document{Digest: fake.Digest(5)}}}),
		"push":      raw(step.PushOutput{Image: delivery.Image{Repository: "api", Digest: fake.Digest(9)}}),
		"evaluate":  raw(step.EvaluateOutput{GateResults: []delivery.GateResult{{Gate: "evaluate: accuracy >= 0.1", Verdict: delivery.Passed, Evidence: "accuracy = 0.2"}}}),
		"register":  raw(step.RegisterOutput{Model: model}),
		"approve":   raw(step.ApproveOutput{By: []string{"ann", "cy"}}),
	}
}

func TestRun_ChecksBeforeTraffic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := fake.NewEnvironment()
		old := w.Release(1)
		w.Serve(env, "20260101-000000-aaaa", old, time.Now())
		w.Target.Calls, w.Prober.URLs = nil, nil
		ref := *w.Release(2).Release.Model
		r := request(step.DeployParams{Workload: delivery.Workload{Replicas: 2, Health: "/health"}})
		r.Inputs = pipelineOutputs(ref)
		begun := time.Now()
		res, err := newStep(w).Run(t.Context(), r)
		if err != nil || res.Outcome != delivery.OutcomeSucceeded {
			t.Fatalf("outcome = %s (%q, %q), error = %v, want %s", res.Outcome, res.Summary, res.Cause, err, delivery.OutcomeSucceeded)
		}
		d := outputOf(t, res)
		want := []string{"Observe ", "Stage " + string(d.Release), "Promote " + string(d.Release)}
		if diff := cmp.Diff(want, w.Target.Calls); diff != "" {
			t.Errorf("calls of the target (-want +got):\n%s", diff)
		}
		if len(w.Prober.URLs) != 3 || !strings.Contains(w.Prober.URLs[0], "staged") || strings.Contains(strings.Join(w.Prober.URLs, " "), "stable") {
			t.Errorf("probed %q, want three times the staged release", w.Prober.URLs)
		}
		wantOutput := step.DeployOutput{Release: d.Release, Deployment: d.Deployment, URL: fake.StableURL(env), Since: time.Now().UTC()}
		if diff := cmp.Diff(wantOutput, d); diff != "" {
			t.Errorf("output (-want +got):\n%s", diff)
		}
		h, _, _ := w.Records.Deployments().List(t.Context(), port.DeploymentFilter{Environment: env}, port.Page{Limit: 1})
		wantDeployment := delivery.Deployment{
			ID: d.Deployment, Environment: env, Release: d.Release, Run: r.Run, State: delivery.Deploying,
			By: "ann, cy", Replaced: old.ID, Reason: "commit aaaaaaa", Commit: r.Commit.SHA, StartedAt: begun.UTC(),
		}
		if diff := cmp.Diff(wantDeployment, h[0]); diff != "" {
			t.Errorf("recorded deployment (-want +got):\n%s", diff)
		}
		rel, _ := w.Records.Releases().Get(t.Context(), d.Release)
		wantRelease := delivery.Release{
			Schema: delivery.ReleaseForm, Service: "api", Model: &ref,
			Image:    delivery.Image{Repository: "api", Digest: fake.Digest(9)},
			Workload: delivery.Workload{Replicas: 2, Health: "/health"}, Manifests: rel.Release.Manifests,
		}
		wantOrigin := delivery.Origin{
			Run: r.Run, Commit: r.Commit.SHA, Tree: r.Commit.Tree, SBOM: fake.Digest(5), CreatedAt: rel.Origin.CreatedAt,
			GateResults: []delivery.GateResult{
				{Gate: "test.unit", Verdict: delivery.Passed}, {Gate: "scan", Verdict: delivery.Passed},
				{Gate: "evaluate: accuracy >= 0.1", Verdict: delivery.Passed, Evidence: "accuracy = 0.2"},
			},
		}
		if diff := cmp.Diff(wantOrigin, rel.Origin); diff != "" {
			t.Errorf("origin (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(wantRelease, rel.Release); diff != "" || !rel.Release.Manifests.Valid() {
			t.Errorf("release (-want +got):\n%s", diff)
		}
	})
}

// TestAssemble_SameContentSameRelease changes all that must not matter, and then each
// thing that must.
func TestAssemble_SameContentSameRelease(t *testing.T) {
	model := delivery.ModelRef{Group: "m", Version: 2, Digest: fake.Digest(2)}
	with := step.DeployParams{Workload: delivery.Workload{Env: map[string]string{"A": "1", "B": "2"}}}
	id := func(change func(*step.Request, *step.DeployParams)) string {
		r, w := request(with), with
		r.Inputs = pipelineOutputs(model)
		if change != nil {
			change(&r, &w)
		}
		rel, _, err := assemble(r, w)
		if err != nil {
			t.Fatal(err)
		}
		content, err := release.ContentDigest(rel)
		if err != nil {
			t.Fatal(err)
		}
		return string(content)
	}
	same := map[string]func(*step.Request, *step.DeployParams){
		"run":         func(r *step.Request, _ *step.DeployParams) { r.Run = "20270101-000000-zzzz" },
		"starter":     func(r *step.Request, _ *step.DeployParams) { r.StartedBy = delivery.Actor{Name: "eve"} },
		"approvers":   func(r *step.Request, _ *step.DeployParams) { delete(r.Inputs, "approve") },
		"environment": func(r *step.Request, _ *step.DeployParams) { r.Environment = "dev" },
		"counts":      func(r *step.Request, _ *step.DeployParams) { r.Inputs["test.unit"] = raw(step.TestOutput{Passed: 4}) },
		"another database": func(r *step.Request, _ *step.DeployParams) {
			r.Inputs["scan"] = raw(step.ScanOutput{
				Verdict: delivery.Passed, Database: time.Unix(1, 0), Counts: map[delivery.Severity]int{delivery.Low: 3},
				SBOMs: &port.SBOMs{CycloneDX: port.Document{Digest: fake.Digest(5), Path: "/elsewhere"}},
			})
		},
		"commit": func(r *step.Request, _ *step.DeployParams) {
			r.Commit.SHA, r.Commit.Tree = strings.Repeat("c", 40), strings.Repeat("d", 40)
		},
		"dirty": func(r *step.Request, _ *step.DeployParams) { r.Commit.Dirty = true },
		"gates": func(r *step.Request, _ *step.DeployParams) { delete(r.Inputs, "test.unit") },
		"provenance": func(r *step.Request, _ *step.DeployParams) {
			r.Inputs["attest"] = raw(step.AttestOutput{Provenance: fake.Digest(5)})
		},
		"materials": func(r *step.Request, _ *step.DeployParams) {
			r.Inputs["scan"] = raw(step.ScanOutput{Verdict: delivery.Passed, SBOMs: &port.SBOMs{CycloneDX: port.Document{Digest: fake.Digest(6)}}})
		},
		"repository": func(r *step.Request, _ *step.DeployParams) {
			r.Inputs["push"] = raw(step.PushOutput{Image: delivery.Image{Repository: "elsewhere/api", Digest: fake.Digest(9)}})
		},
		"overrides": func(_ *step.Request, w *step.DeployParams) { w.Overrides.Env = map[string]string{"A": "2"} },
		"timeout":   func(_ *step.Request, w *step.DeployParams) { w.Timeout = delivery.Duration(time.Hour) },
		"canary": func(_ *step.Request, w *step.DeployParams) {
			w.Canary = &step.CanaryParams{Steps: []step.CanaryStep{{Weight: 10, Bake: delivery.Duration(time.Hour)}}}
		},
	}
	for name, change := range same {
		t.Run(name, func(t *testing.T) {
			if id(change) != id(nil) {
				t.Errorf("ID = %s, want the same release %s", id(change), id(nil))
			}
		})
	}
	other := map[string]func(*step.Request, *step.DeployParams){
		"image": func(r *step.Request, _ *step.DeployParams) {
			r.Inputs["push"] = raw(step.PushOutput{Image: delivery.Image{Repository: "api", Digest: fake.Digest(8)}})
		},
		"model": func(r *step.Request, _ *step.DeployParams) {
			r.Inputs["register"] = raw(step.RegisterOutput{Model: delivery.ModelRef{Group: "m", Version: 3, Digest: fake.Digest(3)}})
		},
		"configuration": func(_ *step.Request, w *step.DeployParams) { w.Workload.Env = map[string]string{"A": "1"} },
	}
	for name, change := range other {
		t.Run(name, func(t *testing.T) {
			if id(change) == id(nil) {
				t.Errorf("ID = %s as without the change, want another release", id(change))
			}
		})
	}
}

func TestRun_Refused(t *testing.T) {
	ctx := context.Background()
	cases := []struct {
		name string
		set  func(w *fake.Environment) step.Request
		kind fault.Kind
		hint string
	}{
		{"quarantined", func(w *fake.Environment) step.Request {
			rel := w.Release(1)
			_ = w.Records.Releases().Quarantine(ctx, delivery.Quarantine{Release: rel.ID, Reason: "errors"})
			return request(step.DeployParams{Release: rel.ID})
		}, fault.Conflict, "slipway releases unquarantine r-"},
		{"not scanned where it comes from", func(w *fake.Environment) step.Request {
			return request(step.DeployParams{Release: w.Release(1).ID, RequireScan: true})
		}, fault.Denied, "environments.prod.scan: {unavailable: accept}"},
		{"quarantined, made again by the same inputs", func(w *fake.Environment) step.Request {
			r := request(step.DeployParams{})
			r.Inputs = pipelineOutputs(*w.Release(2).Release.Model)
			var with step.DeployParams
			_ = json.Unmarshal(r.Spec.Params, &with)
			rel, origin, _ := assemble(r, with)
			saved, _ := w.Records.Releases().Save(ctx, rel, origin)
			_ = w.Records.Releases().Quarantine(ctx, delivery.Quarantine{Release: saved.ID, Reason: "errors"})
			r.Run, r.Commit.SHA = "20260109-000000-dddd", strings.Repeat("d", 40) // by another commit
			return r
		}, fault.Conflict, ""},
		{"model not approved", func(w *fake.Environment) step.Request {
			m, _ := w.Records.Models().Register(ctx, "m", fake.Digest(7), nil, delivery.Lineage{})
			r := request(step.DeployParams{})
			r.Inputs = pipelineOutputs(m.ModelRef)
			return r
		}, fault.Denied, "slipway approve m:1"},
		{"pinned model rejected", func(w *fake.Environment) step.Request {
			m, _ := w.Records.Models().Register(ctx, "m", fake.Digest(7), nil, delivery.Lineage{})
			_, _ = w.Records.Models().Decide(ctx, m.ModelRef, delivery.ModelDecision{Status: delivery.Rejected, By: delivery.Actor{Name: "ann"}})
			r := request(step.DeployParams{Model: &m.ModelRef})
			r.Inputs = pipelineOutputs(m.ModelRef)
			delete(r.Inputs, "register")
			return r
		}, fault.Denied, ""},
		{"model is another", func(w *fake.Environment) step.Request {
			ref := *w.Release(1).Release.Model
			ref.Digest = fake.Digest(99)
			r := request(step.DeployParams{})
			r.Inputs = pipelineOutputs(ref)
			return r
		}, fault.Corrupt, ""},
		{"not trusted", func(w *fake.Environment) step.Request {
			return request(step.DeployParams{Release: w.Release(1).ID, Trust: unfulfilledPolicy})
		}, fault.Denied, "sign"},
		{"not trusted, made here", func(w *fake.Environment) step.Request {
			r := request(step.DeployParams{Trust: unfulfilledPolicy})
			r.Inputs = pipelineOutputs(*w.Release(2).Release.Model)
			return r
		}, fault.Denied, "sign"},
		{"no such release", func(*fake.Environment) step.Request { return request(step.DeployParams{Release: "r-000000000000"}) }, fault.NotFound, ""},
		{"nothing pushed", func(*fake.Environment) step.Request { return request(step.DeployParams{}) }, fault.Internal, ""},
		{"wrong check", func(w *fake.Environment) step.Request {
			return request(step.DeployParams{Release: w.Release(1).ID, ProbeParams: step.ProbeParams{Checks: []step.Check{{Path: "/", Expect: []string{"body ="}}}}})
		}, fault.Invalid, ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := fake.NewEnvironment()
			_, err := newStep(w).Run(t.Context(), c.set(w))
			if !fault.Is(err, c.kind) {
				t.Errorf("error = %v, want %s", err, c.kind)
			}
			if hint := fault.HintOf(err); !strings.Contains(hint, c.hint) {
				t.Errorf("hint = %q, want %q in it", hint, c.hint)
			}
			if h, _, _ := w.Records.Deployments().List(t.Context(), port.DeploymentFilter{Environment: env}, port.Page{}); len(h) > 0 {
				t.Errorf("recorded deployments = %v, want none", h)
			}
			if len(w.Target.Calls) > 0 {
				t.Errorf("calls of the target = %q, want none", w.Target.Calls)
			}
		})
	}
}

// TestRun_KeepsNameOfDeployedContent: what is deployed is not deployed again because
// an older Slipway, or another machine, gave it another name.
func TestRun_KeepsNameOfDeployedContent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := fake.NewEnvironment()
		r := request(step.DeployParams{Workload: delivery.Workload{Health: "/health"}})
		r.Inputs = pipelineOutputs(*w.Release(2).Release.Model)
		params, err := step.ParamsOf[step.DeployParams](r.Spec)
		if err != nil {
			t.Fatal(err)
		}
		rel, origin, err := assemble(r, params)
		if err != nil {
			t.Fatal(err)
		}
		here, err := w.Records.Releases().Save(t.Context(), rel, origin)
		if err != nil {
			t.Fatal(err)
		}
		rel.Schema, rel.FormOne = 1, delivery.FormOne{Commit: strings.Repeat("e", 40)}
		deployed, err := w.Records.Releases().Save(t.Context(), rel, delivery.Origin{Run: "20260101-000000-aaaa"})
		if err != nil || deployed.ID == here.ID {
			t.Fatalf("saved %s and %s, %v, want two names", here.ID, deployed.ID, err)
		}
		w.Serve(env, "20260101-000000-aaaa", deployed, time.Now())
		w.Target.Calls = nil
		res, err := newStep(w).Run(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		if d := outputOf(t, res); d.Release != deployed.ID || !d.AlreadyDeployed {
			t.Errorf("output = %+v, want %s, which is already deployed", d, deployed.ID)
		}
		if diff := cmp.Diff([]string{"Observe "}, w.Target.Calls); diff != "" {
			t.Errorf("calls of the target (-want +got):\n%s", diff)
		}
	})
}
