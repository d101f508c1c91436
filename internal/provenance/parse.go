package provenance

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/slipway-cd/slipway/internal/delivery"
)

// maxSubjects bounds what is read of a statement: it comes from outside.
const maxSubjects = 64

// Parse parses a statement. It is only as trustworthy as its signature.
func Parse(payload []byte) (Statement, error) {
	var s Statement
	if err := json.Unmarshal(payload, &s); err != nil {
		return s, fmt.Errorf("read the statement: %w", err)
	}
	switch {
	case s.Type != StatementType:
		return s, fmt.Errorf("unsupported statement type %q", s.Type)
	case len(s.Subject) == 0:
		return s, errors.New("the statement has no subject")
	case len(s.Subject) > maxSubjects:
		return s, fmt.Errorf("the statement has too many subjects (%d)", len(s.Subject))
	}
	return s, nil
}

// HasSubject reports whether the digest is one of the statement's subjects.
func (s Statement) HasSubject(d delivery.Digest) bool {
	return d.Valid() && slices.ContainsFunc(s.Subject, func(r ResourceDescriptor) bool { return r.Digest["sha256"] == d.Hex() })
}

// Provenance parses the predicate of a SLSA statement. One that lacks what a
// verifier needs is an error.
func (s Statement) Provenance() (Provenance, error) {
	var p Provenance
	if s.PredicateType != SLSAPredicate {
		return p, fmt.Errorf("predicate type %s is not SLSA provenance", s.PredicateType)
	}
	if err := json.Unmarshal(s.Predicate, &p); err != nil {
		return p, fmt.Errorf("read the provenance: %w", err)
	}
	if _, err := canonicalDigest(p.BuildDefinition); err != nil {
		return p, fmt.Errorf("read the provenance: %w", err) // a key twice: two readers could see two values
	}
	var external map[string]any
	switch {
	case p.BuildDefinition.BuildType == "":
		return p, errors.New("the provenance has no buildType")
	case json.Unmarshal(p.BuildDefinition.ExternalParameters, &external) != nil || external == nil:
		return p, errors.New("the provenance has no externalParameters")
	case p.RunDetails.Builder.ID == "":
		return p, errors.New("the provenance has no builder ID")
	}
	return p, nil
}

// Commit is the commit that was built, and its tree; empty when it names none.
func (b BuildDefinition) Commit() (sha, tree string) {
	for _, d := range b.ResolvedDependencies {
		if sha := d.Digest["gitCommit"]; sha != "" {
			return sha, d.Digest["gitTree"]
		}
	}
	return "", ""
}

// DataDigest is the digest of what a model was trained on, or "".
func (b BuildDefinition) DataDigest() delivery.Digest { return b.dependency(dataName) }

func (b BuildDefinition) dependency(name string) delivery.Digest {
	for _, d := range b.ResolvedDependencies {
		if d.Name == name && d.Digest["sha256"] != "" {
			return delivery.DigestFromHex(d.Digest["sha256"])
		}
	}
	return ""
}

// Command is the training command, or "".
func (b BuildDefinition) Command() string {
	var p struct {
		Command string `json:"command"`
	}
	_ = json.Unmarshal(b.ExternalParameters, &p) // not there is not told
	return p.Command
}

// Metrics are what evaluation found, or nil.
func (b BuildDefinition) Metrics() delivery.Metrics {
	var p struct {
		Metrics delivery.Metrics `json:"metrics"`
	}
	_ = json.Unmarshal(b.InternalParameters, &p) // not there is not told
	return p.Metrics
}

// Equivalent reports whether two statements make the same claims about the same
// subjects, apart from run and time: then one of them is enough.
func Equivalent(a, b Statement) bool {
	if a.PredicateType != b.PredicateType || !equalJSON(a.Subject, b.Subject) {
		return false
	}
	if a.PredicateType != SLSAPredicate {
		return equalJSON(a.Predicate, b.Predicate)
	}
	p, errA := a.Provenance()
	q, errB := b.Provenance()
	return errA == nil && errB == nil && equalJSON(p.BuildDefinition, q.BuildDefinition)
}

func equalJSON(a, b any) bool {
	x, errA := canonicalDigest(a)
	y, errB := canonicalDigest(b)
	return errA == nil && errB == nil && x == y
}

// ReproducibleDigest is the digest that a release pins its provenance by. It covers what the
// same inputs always make again: how the image is built, from which commit and
// on which base images; with which command and data the model was trained. It
// leaves out runs, jobs, times and metrics, the commit that first trained the
// same model, and the tools' versions: they may differ where code, model and
// configuration are the same, and the same release must have one name, or a
// quarantine would be easy to escape. model is nil for a release without one.
func ReproducibleDigest(image BuildDefinition, model *BuildDefinition) (delivery.Digest, error) {
	type part struct {
		Type         string               `json:"type"`
		External     json.RawMessage      `json:"external"`
		Dependencies []ResourceDescriptor `json:"dependencies"`
	}
	parts := []part{{image.BuildType, image.ExternalParameters, image.ResolvedDependencies}}
	if model != nil {
		p := part{Type: model.BuildType, External: model.ExternalParameters}
		for _, d := range model.ResolvedDependencies {
			if d.Name != sourceName {
				p.Dependencies = append(p.Dependencies, d)
			}
		}
		parts = append(parts, p)
	}
	d, err := canonicalDigest(parts)
	if err != nil {
		return "", fmt.Errorf("digest the provenance: %w", err)
	}
	return d, nil
}
