package trust_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest/fake"
	"github.com/slipway-cd/slipway/internal/provenance"
	"github.com/slipway-cd/slipway/internal/step"
	"github.com/slipway-cd/slipway/internal/step/trust"
)

var (
	commit = strings.Repeat("a", 40)
	tree   = strings.Repeat("b", 40)
	image  = delivery.Image{Repository: "api", Digest: fake.Digest(1)}
	model  = delivery.ModelRef{Group: "m", Version: 2, Digest: fake.Digest(2)}
)

// world is a registry with signed images.
type world struct {
	*fake.AttestationStore
	t *testing.T
}

func (w world) sign(by string, of port.Subject, raw []byte, err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
	st, err := provenance.Parse(raw)
	if err != nil {
		w.t.Fatal(err)
	}
	b, err := fake.Signer{Name: by}.Sign(w.t.Context(), raw)
	if err == nil {
		_, err = w.Attach(w.t.Context(), of, st.PredicateType, b)
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

func ofImage(change func(*provenance.ImageFacts)) ([]byte, error) {
	f := provenance.ImageFacts{Service: "api", Image: image, Commit: delivery.Commit{SHA: commit, Tree: tree}, RunDetails: provenance.RunDetails{Builder: provenance.BuilderID{ID: provenance.BuilderURI}}}
	if change != nil {
		change(&f)
	}
	return provenance.ImageStatement(f)
}

func ofModel(change func(*provenance.ModelFacts)) ([]byte, error) {
	f := provenance.ModelFacts{Service: "api", Model: model, RunDetails: provenance.RunDetails{Builder: provenance.BuilderID{ID: provenance.BuilderURI}},
		Lineage: delivery.Lineage{Commit: strings.Repeat("c", 40), Data: fake.Digest(7), Command: "train", Run: "20260101-000000-aaaa"}, Metrics: delivery.Metrics{"accuracy": 0.9}}
	if change != nil {
		change(&f)
	}
	return provenance.ModelStatement(f)
}

// all is everything that a release needs, by one signer.
func (w world) all(by string, but ...string) {
	skip := func(what string) bool { return strings.Contains(strings.Join(but, " "), what) }
	img, mod := port.Subject{Image: image}, port.Subject{Model: model}
	if !skip("image-signature") {
		raw, err := provenance.SignatureStatement(image.Digest)
		w.sign(by, img, raw, err)
	}
	if !skip("image-provenance") {
		raw, err := ofImage(nil)
		w.sign(by, img, raw, err)
	}
	if !skip("image-sbom") {
		raw, err := provenance.SBOMStatement(provenance.ImageSubject(image), provenance.SPDXPredicate, []byte("{}"))
		w.sign(by, img, raw, err)
	}
	if !skip("model-signature") {
		raw, err := provenance.SignatureStatement(model.Digest)
		w.sign(by, mod, raw, err)
	}
	if !skip("model-provenance") {
		raw, err := ofModel(nil)
		w.sign(by, mod, raw, err)
	}
	if !skip("model-sbom") {
		raw, err := provenance.SBOMStatement(provenance.ModelSubject(model), provenance.CycloneDXPredicate, []byte("{}"))
		w.sign(by, mod, raw, err)
	}
}

func release(t *testing.T) delivery.ReleaseRecord {
	t.Helper()
	build := func(raw []byte, err error) provenance.BuildDefinition {
		if err != nil {
			t.Fatal(err)
		}
		s, _ := provenance.Parse(raw)
		p, err := s.Provenance()
		if err != nil {
			t.Fatal(err)
		}
		return p.BuildDefinition
	}
	i, m := build(ofImage(nil)), build(ofModel(nil))
	essence, err := provenance.ReproducibleDigest(i, &m)
	if err != nil {
		t.Fatal(err)
	}
	return delivery.ReleaseRecord{
		Release: delivery.Release{Service: "api", Image: image, Model: &model},
		Origin:  delivery.Origin{Commit: commit, Tree: tree, Provenance: essence},
	}
}

func everything(names ...string) step.TrustParams {
	return step.TrustParams{TrustPolicy: fake.TrustPolicy(names...), Require: []string{step.RequireSignature, step.RequireProvenance, step.RequireSBOM}}
}

func TestVerify(t *testing.T) {
	w := world{&fake.AttestationStore{}, t}
	w.all("mallory")
	w.all("ann")
	if err := (trust.Verifier{Attestations: w, Signatures: fake.Verifier{}}).Verify(t.Context(), release(t), everything("bob", "ann")); err != nil {
		t.Error(err)
	}
	rel := release(t)
	rel.Release.Model, rel.Origin.Provenance = nil, "" // recorded before there was provenance
	if err := (trust.Verifier{Attestations: w, Signatures: fake.Verifier{}}).Verify(t.Context(), rel, everything("ann")); err != nil {
		t.Error(err)
	}
}

// TestVerify_Denied: each way in which a release is not what it should be has a cause
// of its own.
func TestVerify_Denied(t *testing.T) {
	cases := []struct {
		name string
		set  func(w world, rel *delivery.ReleaseRecord, p *step.TrustParams)
		says string
	}{
		{"unsigned", func(world, *delivery.ReleaseRecord, *step.TrustParams) {}, "image api@010101010101 has no signature"},
		{"signed by another", func(w world, _ *delivery.ReleaseRecord, _ *step.TrustParams) { w.all("mallory") }, "no trusted signature: signed by a key that the policy does not trust"},
		{"image swapped", func(w world, rel *delivery.ReleaseRecord, _ *step.TrustParams) {
			w.all("ann")
			rel.Release.Image.Digest = fake.Digest(9)
		}, "image api@090909090909 has no signature"},
		{"image swapped, with copied signatures", func(w world, rel *delivery.ReleaseRecord, _ *step.TrustParams) {
			rel.Release.Image.Digest = fake.Digest(9)
			raw, err := provenance.SignatureStatement(image.Digest)
			w.sign("ann", port.Subject{Image: rel.Release.Image}, raw, err)
		}, "but for another subject (010101010101)"},
		{"image gone", func(w world, _ *delivery.ReleaseRecord, _ *step.TrustParams) {
			w.Missing = func(s port.Subject) bool { return s.Image.Digest != "" }
		}, "does not match what the release pins"},
		{"registry holds something else", func(w world, _ *delivery.ReleaseRecord, _ *step.TrustParams) {
			w.Fail = fault.New(fault.Corrupt, "the content is another")
		}, "does not match what the release pins: the content is another"},
		{"model unsigned", func(w world, _ *delivery.ReleaseRecord, _ *step.TrustParams) { w.all("ann", "model-signature") }, "model m:2 has no signature"},
		{"model swapped", func(w world, rel *delivery.ReleaseRecord, _ *step.TrustParams) {
			w.all("ann")
			other := model
			other.Digest = fake.Digest(8)
			rel.Release.Model = &other
		}, "model m:2 has no signature"},
		{"no provenance", func(w world, _ *delivery.ReleaseRecord, _ *step.TrustParams) { w.all("ann", "image-provenance") }, "image api@010101010101 has no provenance"},
		{"no model's provenance", func(w world, _ *delivery.ReleaseRecord, _ *step.TrustParams) { w.all("ann", "model-provenance") }, "model m:2 has no provenance"},
		{"no sbom", func(w world, _ *delivery.ReleaseRecord, _ *step.TrustParams) { w.all("ann", "image-sbom") }, "image api@010101010101 has no sbom"},
		{"no model's sbom", func(w world, _ *delivery.ReleaseRecord, _ *step.TrustParams) { w.all("ann", "model-sbom") }, "model m:2 has no sbom"},
		{"another commit", func(w world, rel *delivery.ReleaseRecord, _ *step.TrustParams) {
			w.all("ann")
			rel.Origin.Commit = strings.Repeat("f", 40)
		}, "does not match the release's commit ffffffffffff: it names commit aaaaaaaaaaaa"},
		{"other files under the commit", func(w world, rel *delivery.ReleaseRecord, _ *step.TrustParams) {
			w.all("ann")
			rel.Origin.Tree = strings.Repeat("f", 40)
		}, "with a different tree (bbbbbbbbbbbb)"},
		{"provenance replaced", func(w world, _ *delivery.ReleaseRecord, _ *step.TrustParams) {
			w.all("ann", "model-provenance")
			raw, err := ofModel(func(f *provenance.ModelFacts) { f.Lineage.Data = fake.Digest(66) })
			w.sign("ann", port.Subject{Model: model}, raw, err)
		}, "no signed provenance matches the one that the release pins"},
		{"key withdrawn", func(w world, _ *delivery.ReleaseRecord, p *step.TrustParams) {
			w.all("ann")
			p.TrustPolicy = fake.TrustPolicy("bob")
		}, "signed by a key that the policy does not trust"},
		{"rubbish", func(w world, _ *delivery.ReleaseRecord, _ *step.TrustParams) {
			_, _ = w.Attach(w.t.Context(), port.Subject{Image: image}, provenance.SignaturePredicate, []byte("rubbish"))
		}, "no trusted signature: read a signature"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := world{&fake.AttestationStore{}, t}
			rel, policy := release(t), everything("ann")
			c.set(w, &rel, &policy)
			err := (trust.Verifier{Attestations: w, Signatures: fake.Verifier{}}).Verify(t.Context(), rel, policy)
			if !fault.Is(err, fault.Denied) || !strings.Contains(err.Error(), c.says) || fault.HintOf(err) == "" {
				t.Errorf("%v (hint %q), want denied with %q", err, fault.HintOf(err), c.says)
			}
		})
	}
}

// TestVerify_Unavailable: all is signed, and the registry or the root of trust
// is out of reach.
func TestVerify_Unavailable(t *testing.T) {
	away := fault.New(fault.Unavailable, "no answer")
	for name, set := range map[string]func(w world, v *fake.Verifier){
		"registry": func(w world, _ *fake.Verifier) { w.Fail = away },
		"unknown":  func(w world, _ *fake.Verifier) { w.Fail = errors.New("strange") },
		"root":     func(_ world, v *fake.Verifier) { v.Fail = away },
	} {
		w, v := world{&fake.AttestationStore{}, t}, fake.Verifier{}
		w.all("ann")
		set(w, &v)
		err := (trust.Verifier{Attestations: w, Signatures: v}).Verify(t.Context(), release(t), everything("ann"))
		if !fault.Is(err, fault.Unavailable) || fault.HintOf(err) == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestVerify_ChecksOnlyRequired(t *testing.T) {
	w := world{&fake.AttestationStore{}, t}
	w.all("ann", "image-provenance", "model-provenance", "image-sbom", "model-sbom")
	j := trust.Verifier{Attestations: w, Signatures: fake.Verifier{}}
	p := step.TrustParams{TrustPolicy: fake.TrustPolicy("ann"), Require: []string{step.RequireSignature}}
	if err := j.Verify(t.Context(), release(t), p); err != nil {
		t.Error(err)
	}
	links, err := j.Explain(t.Context(), release(t), p)
	if err != nil {
		t.Fatal(err)
	}
	said := map[string]delivery.Verdict{}
	for _, l := range links {
		said[l.Name] = l.Verdict
		if l.Required != (l.Name == "image: signature" || l.Name == "model: signature") {
			t.Errorf("%s: required = %v", l.Name, l.Required)
		}
	}
	for name, want := range map[string]delivery.Verdict{
		"image: signature": delivery.Passed, "image: provenance": delivery.Failed, "image: sbom": delivery.Failed,
		"model: signature": delivery.Passed, "model: provenance": delivery.Failed, "model: sbom": delivery.Failed, "release: provenance": delivery.Failed,
	} {
		if said[name] != want {
			t.Errorf("%s: %q, want %q", name, said[name], want)
		}
	}
}

func TestExplain(t *testing.T) {
	w := world{&fake.AttestationStore{}, t}
	w.all("ann")
	links, err := (trust.Verifier{Attestations: w, Signatures: fake.Verifier{}}).Explain(t.Context(), release(t), everything("ann"))
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for _, l := range links {
		text.WriteString(l.Name + " " + string(l.Verdict) + " " + l.Text + " " + strings.Join(l.Details, " ") + "\n")
	}
	for _, want := range []string{
		"image: signature passed signed by key key of ann (ann)", "built from commit aaaaaaaaaaaa by " + provenance.BuilderURI,
		"image: sbom passed", "model: sbom passed", "trained on data 070707070707 from commit cccccccccccc", "command train", "metric accuracy = 0.9", "release: provenance passed",
	} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("%q is not in\n%s", want, text.String())
		}
	}
}

func TestExplain_Cancelled(t *testing.T) {
	w := world{&fake.AttestationStore{}, t}
	why := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(why)
	if err := (trust.Verifier{Attestations: w, Signatures: fake.Verifier{}}).Verify(ctx, release(t), everything("ann")); !errors.Is(err, why) {
		t.Error(err)
	}
}
