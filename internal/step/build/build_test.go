package build

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/ocilayout"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest"
	"github.com/slipway-cd/slipway/internal/port/porttest/fake"
	"github.com/slipway-cd/slipway/internal/step"
)

func request(t *testing.T, log *bytes.Buffer) step.Request {
	t.Helper()
	return step.Request{
		Run: "20260102-030405-abcd", Service: "api", ArtifactsDir: t.TempDir(), Log: log,
		Commit:   delivery.Commit{SHA: strings.Repeat("a", 40)},
		Spec:     step.Spec{Name: "build", Inputs: fake.Digest(3), Params: json.RawMessage(`{"go":"./cmd/api","repository":"mlops/api","env":{"GOFLAGS":"-tags=x"}}`)},
		Checkout: func(context.Context) (string, error) { return "/checkout", nil },
	}
}

func TestRun_Go(t *testing.T) {
	var log bytes.Buffer
	b := &fake.Builder{}
	r := request(t, &log)
	res, err := Step{Builders: map[string]port.Builder{"go": b}}.Run(t.Context(), r)
	if err != nil || res.Outcome != delivery.OutcomeSucceeded {
		t.Fatalf("outcome = %s (%q, %q), error = %v, want %s", res.Outcome, res.Summary, res.Cause, err, delivery.OutcomeSucceeded)
	}
	var out step.BuildOutput
	_ = json.Unmarshal(res.Output, &out)
	if want := filepath.Join(r.ArtifactsDir, "images", fake.Digest(3).Hex()); out.Layout != want || res.Summary != "sha256:"+out.Digest.Short()+" 225 B" {
		t.Errorf("layout %s, summary %q, want %s and its size", out.Layout, res.Summary, want)
	}
	got := b.Built[0]
	want := port.BuildRequest{
		Dir: "/checkout", Go: "./cmd/api", Repository: "mlops/api", Env: map[string]string{"GOFLAGS": "-tags=x"},
		Service: "api", Layout: out.Layout,
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(port.BuildRequest{}, "OnProgress")); diff != "" {
		t.Errorf("request (-want +got):\n%s", diff)
	}
	if log.String() != "compiling ./cmd/api\n" {
		t.Errorf("log = %q, want %q", log.String(), "compiling ./cmd/api\n")
	}
	r.Spec.Inputs = ""
	if got := layoutDir(r); filepath.Base(got) != string(r.Run) {
		t.Errorf("layout without inputs = %s, want one named after the run", got)
	}
	if f, err := (Step{Builders: map[string]port.Builder{"go": b}}).Fingerprint(t.Context(), r.Spec); f != "fake1" || err != nil {
		t.Errorf("fingerprint = %q, error = %v, want %q", f, err, "fake1")
	}
}

func TestRun_Dockerfile(t *testing.T) {
	r := request(t, &bytes.Buffer{})
	r.Spec.Params = json.RawMessage(`{"go":"","repository":"mlops/api","dockerfile":"server/Dockerfile","context":"server","target":"x",
		"args":{"A":"b"},"secrets":{"pip":"${PIP}"},"ssh":true,"platforms":["linux/arm64"],"cache":"r.example.com/c"}`)
	golang, kit := &fake.Builder{}, &fake.Builder{}
	s := Step{Builders: map[string]port.Builder{"go": golang, "dockerfile": kit}, Environ: func() []string { return []string{"X=y", "PIP=hush=hush"} }}
	res, err := s.Run(t.Context(), r)
	if err != nil || res.Outcome != delivery.OutcomeSucceeded || len(golang.Built) != 0 || len(kit.Built) != 1 {
		t.Fatalf("outcome = %s (%q, %q), error = %v, want %s", res.Outcome, res.Summary, res.Cause, err, delivery.OutcomeSucceeded)
	}
	want := port.Dockerfile{
		Path: "server/Dockerfile", Context: "server", Target: "x", Args: map[string]string{"A": "b"}, SSH: true,
		Secrets: map[string][]byte{"pip": []byte("hush=hush")}, Platforms: []string{"linux/arm64"}, Cache: "r.example.com/c",
	}
	if diff := cmp.Diff(&want, kit.Built[0].Dockerfile); diff != "" {
		t.Errorf("request (-want +got):\n%s", diff)
	}
	if strings.Contains(string(res.Output), "hush") {
		t.Errorf("the secret is in the output: %s", res.Output)
	}
	s.Environ = func() []string { return []string{"PIP="} }
	if _, err := s.Run(t.Context(), r); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "PIP") || fault.HintOf(err) == "" {
		t.Errorf("a secret that is not set: %v", err)
	}
	s.Builders["dockerfile"] = &fake.Builder{Fail: fault.New(fault.Unavailable, "find a BuildKit").Hint("get one")}
	if _, err := s.Fingerprint(t.Context(), r.Spec); !fault.Is(err, fault.Unavailable) || fault.HintOf(err) != "get one" {
		t.Errorf("no builder: %v", err)
	}
}

func TestRevalidate_Platforms(t *testing.T) {
	built := porttest.WriteIndexLayout(t, t.TempDir())
	if !ocilayout.Layout(built.Layout).IsComplete(built.Digest) {
		t.Fatal("a whole layout is not taken")
	}
	blobs, err := filepath.Glob(filepath.Join(built.Layout, "blobs", "sha256", "*"))
	if err != nil || len(blobs) != 7 { // an index; two manifests, configurations and layers
		t.Fatal(blobs, err)
	}
	for _, b := range blobs {
		if err := os.Rename(b, b+".away"); err != nil {
			t.Fatal(err)
		}
		if ocilayout.Layout(built.Layout).IsComplete(built.Digest) {
			t.Errorf("without %s it is taken for whole", filepath.Base(b))
		}
		if err := os.Rename(b+".away", b); err != nil {
			t.Fatal(err)
		}
	}
}

func TestRun_CompileErrorIsResult(t *testing.T) {
	r := request(t, &bytes.Buffer{})
	res, err := Step{Builders: map[string]port.Builder{"go": &fake.Builder{Fail: fault.New(fault.Failed, "main.go:3: undefined: x").Hint("mend it")}}}.Run(t.Context(), r)
	if err != nil || res.Outcome != delivery.OutcomeFailed || !strings.Contains(res.Cause, "undefined: x") || res.Hint != "mend it" {
		t.Errorf("outcome = %s (%q, %q), error = %v, want %s, %q", res.Outcome, res.Summary, res.Cause, err, delivery.OutcomeFailed, "undefined: x")
	}
	if _, err := (Step{Builders: map[string]port.Builder{"go": &fake.Builder{Fail: errors.New("disk")}}}).Run(t.Context(), r); err == nil {
		t.Error("trouble on the way is no error")
	}
}

func TestRevalidate_ChecksLayout(t *testing.T) {
	damage := map[string]func(dir string, manifest delivery.Digest){
		"gone":     func(dir string, _ delivery.Digest) { _ = os.RemoveAll(dir) },
		"no index": func(dir string, _ delivery.Digest) { _ = os.Remove(dir + "/index.json") },
		"another index": func(dir string, _ delivery.Digest) {
			_ = os.WriteFile(dir+"/index.json", []byte(`{"manifests":[]}`), 0o644)
		},
		"no manifest": func(dir string, d delivery.Digest) { _ = os.Remove(ocilayout.Layout(dir).BlobPath(d)) },
		"other manifest": func(dir string, d delivery.Digest) {
			_ = os.WriteFile(ocilayout.Layout(dir).BlobPath(d), []byte(`{}`), 0o644)
		},
		"layer cut": func(dir string, d delivery.Digest) {
			raw, _ := os.ReadFile(ocilayout.Layout(dir).BlobPath(d))
			var m ocilayout.Manifest
			_ = json.Unmarshal(raw, &m)
			_ = os.Truncate(ocilayout.Layout(dir).BlobPath(m.Layers[0].Digest), 3)
		},
	}
	for name, do := range damage {
		t.Run(name, func(t *testing.T) {
			r := request(t, &bytes.Buffer{})
			s := Step{Builders: map[string]port.Builder{"go": &fake.Builder{}}}
			res, err := s.Run(t.Context(), r)
			if err != nil {
				t.Fatal(err)
			}
			if _, ok, err := s.Revalidate(t.Context(), r, res); !ok || err != nil {
				t.Fatalf("a whole layout: %v, %v", ok, err)
			}
			var out step.BuildOutput
			_ = json.Unmarshal(res.Output, &out)
			do(out.Layout, out.Digest)
			if _, ok, err := s.Revalidate(t.Context(), r, res); ok || err != nil {
				t.Errorf("%s: %v, %v", name, ok, err)
			}
		})
	}
	if _, ok, err := (Step{}).Revalidate(t.Context(), step.Request{}, step.Result{Output: json.RawMessage(`{"digest":"sha256:../../x","layout":"/"}`)}); ok || err != nil {
		t.Errorf("a digest that is none: %v, %v", ok, err)
	}
}

func TestFormatSize(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 999: "999 B", 7_100_000: "7.1 MB", 1500: "1.5 kB", 2_000_000_000: "2.0 GB"} {
		if got := formatSize(n); got != want {
			t.Errorf("%d: %s", n, got)
		}
	}
}
