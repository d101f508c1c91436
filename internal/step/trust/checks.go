package trust

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/provenance"
)

// trustedStatement is a statement about the subject by a trusted signer.
type trustedStatement struct {
	provenance.Statement
	signer port.SignerIdentity
}

// add accepts a statement if it is about the subject. A good signature of
// something else proves nothing here: it may have been copied.
func (e *evidence) add(v port.VerifiedStatement) error {
	s, err := provenance.Parse(v.Statement)
	if err != nil {
		return fault.New(fault.Corrupt, "parse a statement").Cause(err)
	}
	if !s.HasSubject(e.subject.Digest()) {
		return fault.New(fault.Denied, "signed by %s, but for another subject (%s)", v.Signer, subjectDigests(s))
	}
	e.trusted = append(e.trusted, trustedStatement{s, v.Signer})
	return nil
}

// subjectDigests lists the subjects of a statement.
func subjectDigests(s provenance.Statement) string {
	var of []string
	for _, r := range s.Subject {
		of = append(of, delivery.DigestFromHex(r.Digest["sha256"]).Short())
	}
	return strings.Join(of, ", ")
}

func (e evidence) byType(types ...string) []trustedStatement {
	var out []trustedStatement
	for _, a := range e.trusted {
		if slices.Contains(types, a.PredicateType) {
			out = append(out, a)
		}
	}
	return out
}

const signHint = "deliver it with sign: in slipway.yaml, or sign it with cosign"

func (e evidence) checkSignature() Check {
	found := e.byType(provenance.SignaturePredicate)
	if e.err != nil || len(found) == 0 {
		return e.newCheck("signature", nil, e.missing("signature", signHint), "")
	}
	return e.newCheck("signature", &found[0].signer, nil, "signed by "+found[0].signer.String(), "digest "+string(e.subject.Digest()))
}

// checkImageProvenance finds the provenance that names the release's commit. The
// same image may have several: commits that do not change it reproduce it.
func (e evidence) checkImageProvenance(sha, tree string) Check {
	const name = "provenance"
	found := e.byType(provenance.SLSAPredicate)
	if e.err != nil || len(found) == 0 {
		return e.newCheck(name, nil, e.missing(name, signHint), "")
	}
	var others []string
	for _, a := range found {
		p, err := a.Provenance()
		if err != nil {
			others = append(others, err.Error())
			continue
		}
		commit, of := p.BuildDefinition.Commit()
		if commit == sha && (of == "" || tree == "" || of == tree) {
			return e.newCheck(name, &a.signer, nil, "built from commit "+short(commit)+" by "+p.RunDetails.Builder.ID+", signed by "+a.signer.String(), details(p)...)
		}
		others = append(others, "it names commit "+cmp.Or(short(commit), "none")+treeOf(commit == sha, of))
	}
	return e.newCheck(name, nil, fault.New(fault.Denied, "the provenance of %s does not match the release's commit %s: %s", e.subject, short(sha), strings.Join(others, "; ")).
		Hint("deliver the commit again, with sign: in slipway.yaml"), "")
}

func treeOf(sameCommit bool, tree string) string {
	if !sameCommit || tree == "" {
		return ""
	}
	return " with a different tree (" + short(tree) + ")"
}

// checkModelProvenance finds the model's provenance, whichever commit trained it.
func (e evidence) checkModelProvenance() Check {
	const name = "provenance"
	found := e.byType(provenance.SLSAPredicate)
	if e.err != nil || len(found) == 0 {
		return e.newCheck(name, nil, e.missing(name, signHint), "")
	}
	var last error
	for _, a := range found {
		p, err := a.Provenance()
		if err != nil {
			last = err
			continue
		}
		text := "trained"
		if data := p.BuildDefinition.DataDigest(); data != "" {
			text += " on data " + data.Short()
		}
		if sha, _ := p.BuildDefinition.Commit(); sha != "" {
			text += " from commit " + short(sha)
		}
		return e.newCheck(name, &a.signer, nil, text+", signed by "+a.signer.String(), details(p)...)
	}
	return e.newCheck(name, nil, fault.New(fault.Denied, "parse the provenance of %s", e.subject).Cause(last), "")
}

func (e evidence) checkSBOM() Check {
	found := e.byType(provenance.CycloneDXPredicate, provenance.SPDXPredicate)
	if e.err != nil || len(found) == 0 {
		hint := "add a scan to slipway.yaml, or attach one with `cosign attest --type cyclonedx`"
		if e.subject.Model.Digest != "" {
			hint = signHint
		}
		return e.newCheck("sbom", nil, e.missing("sbom", hint), "")
	}
	return e.newCheck("sbom", &found[0].signer, nil, "SBOM ("+found[0].PredicateType+") by "+found[0].signer.String())
}

// checkPinned compares the provenance with the digest that the release pins: what
// was signed later for the same digests is not what the release was made from.
func checkPinned(pinned delivery.Digest, image, model evidence) []Check {
	if pinned == "" {
		return nil
	}
	l := Check{Name: "release: provenance", Verdict: delivery.Passed, Required: image.requires("provenance"),
		Text: "the release pins this provenance", Details: []string{string(pinned)}}
	for _, e := range []evidence{image, model} {
		if e.err != nil {
			l.fail(e.unavailable())
			return []Check{l}
		}
	}
	for _, i := range buildDefinitions(image) {
		if model.subject.Model.Digest == "" && matchesPinned(pinned, i, nil) {
			return []Check{l}
		}
		for _, m := range buildDefinitions(model) {
			if matchesPinned(pinned, i, &m) {
				return []Check{l}
			}
		}
	}
	l.fail(fault.New(fault.Denied, "no signed provenance matches the one that the release pins (%s)", pinned.Short()).
		Hint("the signed build, command or data differ: find out who signed them, and deliver the commit again"))
	return []Check{l}
}

func buildDefinitions(e evidence) []provenance.BuildDefinition {
	var out []provenance.BuildDefinition
	for _, a := range e.byType(provenance.SLSAPredicate) {
		if p, err := a.Provenance(); err == nil {
			out = append(out, p.BuildDefinition)
		}
	}
	return out
}

func matchesPinned(want delivery.Digest, image provenance.BuildDefinition, model *provenance.BuildDefinition) bool {
	got, err := provenance.ReproducibleDigest(image, model)
	return err == nil && got == want
}

// details lists the content of the provenance.
func details(p provenance.Provenance) []string {
	out := []string{"builder " + p.RunDetails.Builder.ID}
	if v := p.RunDetails.Builder.Version["slipway"]; v != "" {
		out[0] += " " + v
	}
	if p.RunDetails.Metadata.InvocationID != "" {
		out = append(out, "run "+p.RunDetails.Metadata.InvocationID)
	}
	for _, d := range p.BuildDefinition.ResolvedDependencies {
		out = append(out, "material "+material(d))
	}
	if c := p.BuildDefinition.Command(); c != "" {
		out = append(out, "command "+c)
	}
	metrics := p.BuildDefinition.Metrics()
	for _, name := range slices.Sorted(maps.Keys(metrics)) {
		if v, ok := metrics[name].(float64); ok {
			out = append(out, fmt.Sprintf("metric %s = %.4g", name, v))
		}
	}
	return out
}

func material(d provenance.ResourceDescriptor) string {
	out := strings.TrimSpace(d.Name + " " + d.URI)
	for _, algorithm := range slices.Sorted(maps.Keys(d.Digest)) {
		out += " " + algorithm + ":" + short(d.Digest[algorithm])
	}
	if len(d.Digest) == 0 {
		out += " (not pinned)"
	}
	if d.Annotations["dirty"] == true {
		out += " (with uncommitted changes)"
	}
	return out
}

// short returns the beginning of a digest.
func short(hex string) string { return hex[:min(len(hex), 12)] }
