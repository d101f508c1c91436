package register

import (
	"encoding/json"
	"errors"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port/porttest/fake"
	"github.com/slipway-cd/slipway/internal/step"
)

func request(t *testing.T) step.Request {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(dir+"/model.bin", []byte("weights"), 0o644); err != nil {
		t.Fatal(err)
	}
	trained, _ := json.Marshal(step.TrainOutput{
		Dir: "/elsewhere", Data: fake.Digest(4), Job: "20260101-000000-aaaa-train-1", Commit: "c0ffee", Command: "train {{.Data}}", Inputs: fake.Digest(5),
	})
	evaluated, _ := json.Marshal(step.EvaluateOutput{Dir: dir, Metrics: delivery.Metrics{"accuracy": 0.9}})
	return step.Request{
		Run: "20260102-030405-abcd", Spec: step.Spec{Name: "register", Params: json.RawMessage(`{"group":"retail"}`)},
		Inputs: map[string]json.RawMessage{"train": trained, "evaluate": evaluated},
	}
}

func TestRun(t *testing.T) {
	ledger := &fake.Records{}
	s := Step{Artifacts: &fake.ArtifactStore{}, Models: ledger.Models()}
	r := request(t)
	res, err := s.Run(t.Context(), r)
	if err != nil || res.Summary != "retail:1 PendingManualApproval" {
		t.Fatalf("summary = %q, error = %v, want the pending version", res.Summary, err)
	}
	v, _ := ledger.Models().Get(t.Context(), "retail", 1)
	want := delivery.Lineage{Commit: "c0ffee", Data: fake.Digest(4), Job: "20260101-000000-aaaa-train-1", Run: "20260101-000000-aaaa", Command: "train {{.Data}}", Training: fake.Digest(5)}
	if diff := cmp.Diff(want, v.Lineage); diff != "" || v.Metrics["accuracy"] != 0.9 {
		t.Errorf("metrics %v, lineage (-want +got):\n%s", v.Metrics, diff)
	}
	// The same files in another run are the same version, also once decided.
	if _, err := ledger.Models().Decide(t.Context(), v.ModelRef, delivery.ModelDecision{Status: delivery.Rejected, By: delivery.Actor{Name: "ann"}, Why: "biased"}); err != nil {
		t.Fatal(err)
	}
	r.Run = "20260103-030405-abcd"
	res, err = s.Run(t.Context(), r)
	var out step.RegisterOutput
	_ = json.Unmarshal(res.Output, &out)
	if diff := cmp.Diff(step.RegisterOutput{Model: v.ModelRef, Status: delivery.Rejected}, out); err != nil || diff != "" {
		t.Errorf("error = %v, output (-want +got):\n%s", err, diff)
	}
}

func TestRun_Errors(t *testing.T) {
	full := errors.New("disk full")
	if _, err := (Step{Artifacts: &fake.ArtifactStore{Fail: full}, Models: (&fake.Records{}).Models()}).Run(t.Context(), request(t)); !errors.Is(err, full) {
		t.Errorf("error = %v, want %v", err, full)
	}
	r := request(t)
	r.Spec.Params = json.RawMessage(`{}`)
	if _, err := (Step{}).Run(t.Context(), r); !fault.Is(err, fault.Invalid) {
		t.Errorf("error = %v, want %s", err, fault.Invalid)
	}
	r = request(t)
	delete(r.Inputs, "train")
	if _, err := (Step{}).Run(t.Context(), r); !fault.Is(err, fault.Internal) {
		t.Errorf("error = %v, want %s", err, fault.Internal)
	}
}

// TestRun_SBOMs: a project that signs gets the model's bills of materials, the same
// ones for the same files.
func TestRun_SBOMs(t *testing.T) {
	s := Step{Artifacts: &fake.ArtifactStore{}, Models: (&fake.Records{}).Models(), SBOMs: fake.SBOMGenerator{}}
	r := request(t)
	r.ArtifactsDir, r.Spec.Params = t.TempDir(), json.RawMessage(`{"group":"retail","bill":true}`)
	var first step.RegisterOutput
	for range 2 {
		res, err := s.Run(t.Context(), r)
		var out step.RegisterOutput
		_ = json.Unmarshal(res.Output, &out)
		if err != nil || out.SBOMs == nil || !out.SBOMs.CycloneDX.Digest.Valid() || !out.SBOMs.SPDX.Digest.Valid() {
			t.Fatalf("SBOMs = %+v, error = %v, want CycloneDX and SPDX with digests", out.SBOMs, err)
		}
		if diff := cmp.Diff(first.SBOMs, out.SBOMs); first.SBOMs != nil && diff != "" {
			t.Errorf("SBOMs of the same files (-first +second):\n%s", diff)
		}
		first = out
	}
	full := errors.New("disk full")
	s.SBOMs = fake.SBOMGenerator{Fail: full}
	if _, err := s.Run(t.Context(), r); !errors.Is(err, full) {
		t.Errorf("error = %v, want %v", err, full)
	}
	s.SBOMs = nil
	if _, err := s.Run(t.Context(), r); !fault.Is(err, fault.Internal) {
		t.Errorf("error without a generator = %v, want kind %s", err, fault.Internal)
	}
}
