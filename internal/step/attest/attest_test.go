package attest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest/fake"
	"github.com/slipway-cd/slipway/internal/provenance"
	"github.com/slipway-cd/slipway/internal/step"
)

// fixture is a run that has pushed an image and registered a model.
type fixture struct {
	*fake.Environment
	signers *fake.SignerFactory
	store   *fake.AttestationStore
	ref     delivery.ModelRef
	env     map[string]string
	key     string // the key's file
	repo    string
}

var image = delivery.Image{Repository: "api", Digest: fake.Digest(9)}

func newScene(t *testing.T) *fixture {
	t.Helper()
	s := &fixture{Environment: fake.NewEnvironment(), signers: &fake.SignerFactory{}, store: &fake.AttestationStore{}, repo: t.TempDir()}
	s.key = filepath.Join(t.TempDir(), "cosign.key")
	if err := os.WriteFile(s.key, []byte("ann"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.env = map[string]string{"COSIGN_KEY": s.key, "COSIGN_PASSWORD": "hunter2-hunter2"}
	s.ref = delivery.ModelRef{Group: "m", Version: 1, Digest: fake.Digest(4)}
	_, err := s.Records.Models().Register(t.Context(), "m", s.ref.Digest, delivery.Metrics{"accuracy": 0.9},
		delivery.Lineage{Commit: strings.Repeat("c", 40), Data: fake.Digest(7), Command: "train --token ${TOKEN}", Run: "20260101-000000-aaaa"})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *fixture) step() Step {
	return Step{
		Signers: s.signers, Attestations: s.store, Models: s.Records.Models(), Version: "v1",
		LookupEnv:      func(name string) (string, bool) { v, ok := s.env[name]; return v, ok },
		ContainsSecret: func(text string) bool { return strings.Contains(text, "hunter2") },
		Clock:          step.Clock{Time: func() time.Time { return time.Date(2026, 1, 2, 0, 5, 0, 0, time.UTC) }},
	}
}

func (s *fixture) ask(t *testing.T, change func(*step.Request, *step.AttestParams)) step.Request {
	t.Helper()
	w := step.AttestParams{Key: "${COSIGN_KEY}", Passphrase: "${COSIGN_PASSWORD}", Build: json.RawMessage(`{"go":"./cmd/api"}`)}
	r := step.Request{
		Run: "20260102-000000-bbbb", Service: "api", Environment: "prod", RepositoryDir: s.repo,
		Commit: delivery.Commit{SHA: strings.Repeat("a", 40), Tree: strings.Repeat("b", 40), Source: "https://github.com/o/r"},
		Inputs: map[string]json.RawMessage{
			"push": raw(t, step.PushOutput{Image: image}), "build": json.RawMessage(`{"digest":"x","bases":["debian@` + string(fake.Digest(6)) + `"]}`),
			"register": raw(t, step.RegisterOutput{Model: s.ref}),
		},
	}
	if change != nil {
		change(&r, &w)
	}
	r.Spec = step.Spec{Name: "attest", Kind: step.Attest, Params: raw(t, w)}
	return r
}

func raw(t *testing.T, v any) json.RawMessage {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func attested(t *testing.T, res step.Result) step.AttestOutput {
	t.Helper()
	var a step.AttestOutput
	if err := json.Unmarshal(res.Output, &a); err != nil || res.Outcome != delivery.OutcomeSucceeded {
		t.Fatalf("outcome = %s (%q, %q), error = %v, want %s", res.Outcome, res.Summary, res.Cause, err, delivery.OutcomeSucceeded)
	}
	return a
}

func (s *fixture) held(t *testing.T) map[string]int {
	t.Helper()
	out := map[string]int{}
	for _, of := range []port.Subject{{Image: image}, {Model: s.ref}} {
		all, err := s.store.Attachments(t.Context(), of)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range all {
			out[strings.Fields(of.String())[0]+" "+a.Type]++
		}
	}
	return out
}

// packer packs every model as one image.
type packer struct{ delivery.Image }

func (p packer) Pack(_ context.Context, _ delivery.ModelRef, repository string) (delivery.Image, error) {
	return delivery.Image{Repository: repository, Digest: p.Digest}, nil
}

// TestRun_SignsModelImage: a cluster that admits signed images only sees an image.
func TestRun_SignsModelImage(t *testing.T) {
	s := newScene(t)
	plain, err := s.step().Run(t.Context(), s.ask(t, nil))
	if err != nil {
		t.Fatal(err)
	}
	st := s.step()
	st.ModelImages = packer{delivery.Image{Digest: fake.Digest(5)}}
	res, err := st.Run(t.Context(), s.ask(t, func(_ *step.Request, w *step.AttestParams) { w.PackModel = true }))
	if err != nil {
		t.Fatal(err)
	}
	if a, b := attested(t, plain), attested(t, res); a.Provenance != b.Provenance {
		t.Errorf("provenance of a packed model = %s, want %s as without packing", b.Provenance, a.Provenance)
	}
	all, err := s.store.Attachments(t.Context(), port.Subject{Image: delivery.Image{Repository: image.Repository, Digest: fake.Digest(5)}})
	if err != nil || len(all) != 1 || all[0].Type != provenance.SignaturePredicate {
		t.Errorf("attachments of the packed model = %+v, error = %v, want one signature", all, err)
	}
}

func TestRun(t *testing.T) {
	s := newScene(t)
	res, err := s.step().Run(t.Context(), s.ask(t, nil))
	if err != nil {
		t.Fatal(err)
	}
	out := attested(t, res)
	want := map[string]int{
		"image " + provenance.SignaturePredicate: 1, "image " + provenance.SLSAPredicate: 1, "model " + provenance.SignaturePredicate: 1, "model " + provenance.SLSAPredicate: 1,
	}
	if got := s.held(t); fmt.Sprint(got) != fmt.Sprint(want) || len(out.Statements) != 4 || !out.Provenance.Valid() {
		t.Errorf("attached = %v, output = %+v, want %v, 4 statements and a provenance", got, out, want)
	}
	o := s.signers.Requests[0]
	if string(o.Key) != "ann" || string(o.Passphrase) != "hunter2-hunter2" {
		t.Errorf("signed with key %q, want %q and its passphrase", o.Key, "ann")
	}
	if bytes.Contains(res.Output, []byte("hunter2")) || strings.Contains(string(s.ask(t, nil).Spec.Params), "hunter2") {
		t.Error("the output or the parameters contain the passphrase")
	}
	for _, st := range out.Statements {
		b, err := s.store.Bundle(t.Context(), port.Subject{Image: delivery.Image{Digest: st.Subject}}, port.Attachment{Digest: st.Digest})
		v, err2 := fake.Verifier{}.Verify(t.Context(), b, fake.TrustPolicy("ann"))
		if err != nil || err2 != nil || bytes.Contains(v.Statement, []byte("hunter2")) {
			t.Errorf("%s: %v, %v", st.Predicate, err, err2)
		}
	}
}

// TestRun_FindsExistingStatements: another run of the same inputs adds nothing and pins the same; one
// of another commit, or by another key, adds its own.
func TestRun_FindsExistingStatements(t *testing.T) {
	s := newScene(t)
	first, err := s.step().Run(t.Context(), s.ask(t, nil))
	if err != nil {
		t.Fatal(err)
	}
	before := s.held(t)
	again, err := s.step().Run(t.Context(), s.ask(t, func(r *step.Request, _ *step.AttestParams) { r.Run = "20270102-000000-cccc" }))
	if err != nil || fmt.Sprint(s.held(t)) != fmt.Sprint(before) {
		t.Errorf("%v, %v; before %v", err, s.held(t), before)
	}
	for _, st := range attested(t, again).Statements {
		if !st.Existing {
			t.Errorf("%s was made again", st.Predicate)
		}
	}
	if a, b := attested(t, first), attested(t, again); a.Provenance != b.Provenance {
		t.Error("the same inputs pin another provenance")
	}
	other, err := s.step().Run(t.Context(), s.ask(t, func(r *step.Request, _ *step.AttestParams) { r.Commit.SHA = strings.Repeat("d", 40) }))
	if err != nil || s.held(t)["image "+provenance.SLSAPredicate] != 2 || s.held(t)["image "+provenance.SignaturePredicate] != 1 {
		t.Errorf("another commit: %v, %v", err, s.held(t))
	}
	if attested(t, other).Provenance == attested(t, first).Provenance {
		t.Error("another commit pins the same provenance")
	}
	s.env["COSIGN_KEY"] = s.key + ".bob"
	if err := os.WriteFile(s.key+".bob", []byte("bob"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.step().Run(t.Context(), s.ask(t, nil)); err != nil || s.held(t)["image "+provenance.SignaturePredicate] != 2 {
		t.Errorf("another key: %v, %v", err, s.held(t))
	}
}

// TestRun_KilledAtEveryCall: whatever call a crash hits, the next start ends with each
// statement once.
func TestRun_KilledAtEveryCall(t *testing.T) {
	for _, after := range []bool{false, true} {
		for at, killed := 1, true; killed; at++ {
			s := newScene(t)
			s.store.Fuse = fake.NewFuse(at, after)
			killed = fake.Survive(func() { _, _ = s.step().Run(t.Context(), s.ask(t, nil)) })
			s.store.Fuse = nil
			if _, err := s.step().Run(t.Context(), s.ask(t, nil)); err != nil {
				t.Fatal(err)
			}
			for what, n := range s.held(t) {
				if n != 1 {
					t.Fatalf("killed at %d, after %v: %s is there %d times", at, after, what, n)
				}
			}
			if len(s.held(t)) != 4 {
				t.Fatalf("killed at %d, after %v: %v", at, after, s.held(t))
			}
		}
	}
}

// TestRun_AttachesSBOM attaches what the scan wrote, and nothing else.
func TestRun_AttachesSBOM(t *testing.T) {
	s := newScene(t)
	doc := filepath.Join(t.TempDir(), "bom.cdx.json")
	body := []byte(`{"bomFormat":"CycloneDX"}`)
	if err := os.WriteFile(doc, body, 0o600); err != nil {
		t.Fatal(err)
	}
	scan := func(of, digest delivery.Digest) func(*step.Request, *step.AttestParams) {
		return func(r *step.Request, _ *step.AttestParams) {
			r.Inputs["scan"] = json.RawMessage(fmt.Sprintf(`{"verdict":"passed","image":%q,"bills":{"cyclonedx":{"path":%q,"digest":%q}}}`, of, doc, digest))
		}
	}
	sum := delivery.DigestOf(body)
	if _, err := s.step().Run(t.Context(), s.ask(t, scan(fake.Digest(8), sum))); !fault.Is(err, fault.Corrupt) {
		t.Errorf("error of a scan of another image = %v, want kind %s", err, fault.Corrupt)
	}
	if _, err := s.step().Run(t.Context(), s.ask(t, scan(image.Digest, fake.Digest(8)))); !fault.Is(err, fault.Corrupt) {
		t.Errorf("error of another document = %v, want kind %s", err, fault.Corrupt)
	}
	if n := len(s.held(t)); n != 0 {
		t.Errorf("attached = %d kinds, want none", n)
	}
	if _, err := s.step().Run(t.Context(), s.ask(t, scan(image.Digest, sum))); err != nil || s.held(t)["image "+provenance.CycloneDXPredicate] != 1 {
		t.Errorf("error = %v, attached = %v, want one CycloneDX document to the image", err, s.held(t))
	}
	ofModel := func(r *step.Request, _ *step.AttestParams) {
		r.Inputs["register"] = json.RawMessage(strings.TrimSuffix(string(r.Inputs["register"]), "}") + fmt.Sprintf(`,"bills":{"spdx":{"path":%q,"digest":%q}}}`, doc, sum))
	}
	if _, err := s.step().Run(t.Context(), s.ask(t, ofModel)); err != nil || s.held(t)["model "+provenance.SPDXPredicate] != 1 {
		t.Errorf("error = %v, attached = %v, want one SPDX document to the model", err, s.held(t))
	}
}

// TestRun_AttachesModelSBOM attaches what the registration wrote to the model, not the image.
func TestRun_AttachesModelSBOM(t *testing.T) {
	s := newScene(t)
	bills, err := fake.SBOMGenerator{}.ModelSBOM(t.Context(), port.ModelSBOMRequest{Model: s.ref, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	register := func(model delivery.ModelRef) func(*step.Request, *step.AttestParams) {
		return func(r *step.Request, _ *step.AttestParams) {
			r.Inputs["register"] = raw(t, step.RegisterOutput{Model: model, SBOMs: &bills})
		}
	}
	if _, err := s.step().Run(t.Context(), s.ask(t, register(s.ref))); err != nil {
		t.Fatal(err)
	}
	held := s.held(t)
	if held["model "+provenance.CycloneDXPredicate] != 1 || held["model "+provenance.SPDXPredicate] != 1 || held["image "+provenance.CycloneDXPredicate] != 0 {
		t.Errorf("attached = %v, want both documents to the model only", held)
	}
}

func TestRun_PinnedModelAndNone(t *testing.T) {
	s := newScene(t)
	res, err := s.step().Run(t.Context(), s.ask(t, func(r *step.Request, w *step.AttestParams) {
		delete(r.Inputs, "register")
		w.Model = &s.ref
	}))
	if err != nil || len(attested(t, res).Statements) != 4 {
		t.Errorf("pinned model: result = %+v, error = %v, want 4 statements", res, err)
	}
	res, err = s.step().Run(context.Background(), s.ask(t, func(r *step.Request, _ *step.AttestParams) { delete(r.Inputs, "register") }))
	if err != nil || len(attested(t, res).Statements) != 2 {
		t.Errorf("no model: result = %+v, error = %v, want 2 statements", res, err)
	}
}

// TestRun_ExistingImage: an image that was found in the registry is signed only if
// the same key signed it before.
func TestRun_ExistingImage(t *testing.T) {
	s := newScene(t)
	found := func(r *step.Request, _ *step.AttestParams) {
		r.Inputs["build"] = raw(t, step.BuildOutput{BuiltImage: port.BuiltImage{Digest: image.Digest}, Existing: true})
	}
	_, err := s.step().Run(t.Context(), s.ask(t, found))
	if !fault.Is(err, fault.Denied) || !strings.Contains(fault.HintOf(err), "--rebuild") {
		t.Fatalf("sign an image of unknown origin: error = %v (%s), want %s", err, fault.HintOf(err), fault.Denied)
	}
	if held := s.held(t); len(held) > 0 {
		t.Errorf("attachments = %v, want none", held)
	}
	if _, err := s.step().Run(t.Context(), s.ask(t, nil)); err != nil {
		t.Fatal(err)
	}
	res, err := s.step().Run(t.Context(), s.ask(t, found))
	if err != nil {
		t.Fatal(err)
	}
	attested(t, res)
}
