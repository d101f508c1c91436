package release_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/release"
)

func formOne() delivery.Release {
	return delivery.Release{
		Schema: 1, Service: "retail-api",
		Image: delivery.Image{Repository: "mlops/retail-api", Digest: delivery.Digest("sha256:" + strings.Repeat("1", 64))},
		Model: &delivery.ModelRef{Group: "retail", Version: 3, Digest: delivery.Digest("sha256:" + strings.Repeat("2", 64))},
		Workload: delivery.Workload{
			Replicas: 2, CPU: 0.5, Memory: 256 << 20, Health: "/health", Drain: delivery.Duration(10 * time.Second),
			Env: map[string]string{"ZONE": "a<b>&c", "LANG": "ü", "A": "line\nbreak"},
		},
		FormOne: delivery.FormOne{
			Commit: strings.Repeat("a", 40), Tree: strings.Repeat("b", 40),
			GateResults: []delivery.GateResult{{Gate: "evaluate: accuracy >= 0.8", Verdict: delivery.Passed, Evidence: "accuracy = 0.87"}},
		},
	}
}

func TestCanonical_GoldenFormOne(t *testing.T) {
	want, err := os.ReadFile("testdata/form1.json")
	if err != nil {
		t.Fatal(err)
	}
	got, d, id, err := release.Canonical(formOne())
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Errorf("canonical JSON changed: every recorded release would lose its name\n got %s\nwant %s", got, want)
	}
	const digest = "sha256:785560ce36afe76932c7d7df9d2f356ff6df4ea0408f91f0a00a4165bfcb5cd9"
	if d != digest {
		t.Errorf("digest = %s, want %s", d, digest)
	}
	if id != delivery.ReleaseID("r-"+d.Hex()[:12]) || !id.Valid() {
		t.Errorf("name = %s for %s", id, d)
	}
}

func TestCanonical_DistinguishesFormOne(t *testing.T) {
	_, first, _, err := release.Canonical(formOne())
	if err != nil {
		t.Fatal(err)
	}
	changes := map[string]func(*delivery.Release){
		"commit":      func(r *delivery.Release) { r.Commit = strings.Repeat("c", 40) },
		"dirty":       func(r *delivery.Release) { r.Dirty = true },
		"no model":    func(r *delivery.Release) { r.Model = nil },
		"environment": func(r *delivery.Release) { r.Workload.Env["A"] = "" },
		"a gate":      func(r *delivery.Release) { r.GateResults[0].Verdict = delivery.Unavailable },
		"replicas":    func(r *delivery.Release) { r.Workload.Replicas++ },
	}
	for name, change := range changes {
		r := formOne()
		change(&r)
		if _, d, _, err := release.Canonical(r); err != nil || d == first {
			t.Errorf("%s: digest %s, %v: the same as without the change", name, d, err)
		}
	}
}
