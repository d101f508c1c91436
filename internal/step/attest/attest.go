// Package attest signs what was pushed and registered, and attaches signed
// statements: how the image was built, how the model was trained, and what the
// image is made of.
package attest

import (
	"context"
	"fmt"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/provenance"
	"github.com/slipway-cd/slipway/internal/step"
)

// Step signs.
type Step struct {
	Signers        port.SignerFactory
	Attestations   port.AttestationStore
	Models         port.ModelRegistry
	ModelImages    port.ModelImagePacker
	LookupEnv      func(string) (string, bool) // nil: os.LookupEnv
	ContainsSecret func(string) bool           // reports whether a text contains a secret; nil: nothing is checked
	Version        string                      // of Slipway
	Clock          step.Clock
}

// Run signs image and model unless that was done already: a statement equivalent
// to one that the same signer has attached to the same subject is not made again.
// Its output is step.AttestOutput.
func (s Step) Run(ctx context.Context, r step.Request) (step.Result, error) {
	w, err := step.ParamsOf[step.AttestParams](r.Spec)
	if err != nil {
		return step.Result{}, err
	}
	signer, err := s.signer(r, w)
	if err != nil {
		return step.Result{}, err
	}
	o, err := s.signingPlan(ctx, r, w)
	if err != nil {
		return step.Result{}, err
	}
	out := step.AttestOutput{Provenance: o.reproducible}
	if out.By, err = signer.Identity(ctx); err != nil {
		return step.Result{}, fmt.Errorf("determine the signer identity: %w", err)
	}
	for _, subject := range o.subjects {
		r.Progress("signing %s", subject.ref)
		done, err := s.signSubject(ctx, signer, subject)
		if err != nil {
			return step.Result{}, fmt.Errorf("sign %s: %w", subject.ref, err)
		}
		out.Statements = append(out.Statements, done...)
	}
	return step.Succeed(summary(out), out)
}

// signSubject attaches the statements that a subject lacks.
func (s Step) signSubject(ctx context.Context, signer port.Signer, o subject) ([]step.Statement, error) {
	statements, predicateTypes := make([]provenance.Statement, len(o.statements)), map[string]bool{"": true}
	for i, raw := range o.statements {
		var err error
		if statements[i], err = provenance.Parse(raw); err != nil {
			return nil, fmt.Errorf("parse the statement to sign: %w", err)
		}
		predicateTypes[statements[i].PredicateType] = true
	}
	known, err := s.ownStatements(ctx, signer, o.ref, predicateTypes)
	if err != nil {
		return nil, err
	}
	if err := checkSigned(o, known, statements); err != nil {
		return nil, err
	}
	var out []step.Statement
	for i, want := range statements {
		done := step.Statement{Subject: o.ref.Digest(), Predicate: want.PredicateType, Existing: true}
		if done.Digest = findEquivalent(known, want); done.Digest == "" {
			if done, err = s.signAndAttach(ctx, signer, o.ref, want.PredicateType, o.statements[i]); err != nil {
				return nil, err
			}
		}
		out = append(out, done)
	}
	return out, nil
}

// checkSigned refuses to sign an image that was found in the registry and that this
// signer has not signed before: whoever may push there could have put it there.
func checkSigned(o subject, known []ownStatement, statements []provenance.Statement) error {
	if !o.existing {
		return nil
	}
	for _, st := range statements {
		if st.PredicateType == provenance.SignaturePredicate && findEquivalent(known, st) != "" {
			return nil
		}
	}
	return fault.New(fault.Denied, "sign %s: it was found in the registry by its inputs, but is not signed with this key", o.ref).
		Hint("build it again with `slipway run --rebuild`")
}

func (s Step) signAndAttach(ctx context.Context, signer port.Signer, of port.Subject, predicate string, raw []byte) (step.Statement, error) {
	bundle, err := signer.Sign(ctx, raw)
	if err != nil {
		return step.Statement{}, err
	}
	a, err := s.Attestations.Attach(ctx, of, predicate, bundle)
	if err != nil {
		return step.Statement{}, err
	}
	return step.Statement{Subject: of.Digest(), Predicate: predicate, Digest: a.Digest}, nil
}

// ownStatement is a statement that this signer attached before.
type ownStatement struct {
	provenance.Statement
	digest delivery.Digest
}

// ownStatements returns the signer's own statements of these types about the
// subject. Those of others, intact or broken, are ignored.
func (s Step) ownStatements(ctx context.Context, signer port.Signer, of port.Subject, predicateTypes map[string]bool) ([]ownStatement, error) {
	listed, err := s.Attestations.Attachments(ctx, of)
	if err != nil {
		return nil, err
	}
	var out []ownStatement
	for _, a := range listed {
		if !predicateTypes[a.Type] {
			continue
		}
		raw, err := s.Attestations.Bundle(ctx, of, a)
		if fault.Is(err, fault.Corrupt) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if payload, ok := signer.OwnStatement(ctx, raw); ok {
			if st, err := provenance.Parse(payload); err == nil {
				out = append(out, ownStatement{st, a.Digest})
			}
		}
	}
	return out, nil
}

func findEquivalent(known []ownStatement, want provenance.Statement) delivery.Digest {
	for _, k := range known {
		if provenance.Equivalent(k.Statement, want) {
			return k.digest
		}
	}
	return ""
}

func summary(out step.AttestOutput) string {
	fresh := 0
	for _, s := range out.Statements {
		if !s.Existing {
			fresh++
		}
	}
	text := fmt.Sprintf("%d statements by %s", len(out.Statements), out.By)
	if fresh == 0 {
		return text + ", all of them already attached"
	}
	return fmt.Sprintf("%s, %d of them new", text, fresh)
}

// runDetails is what the statements record about this run.
func (s Step) runDetails(r step.Request) provenance.RunDetails {
	var began time.Time
	if at, err := time.Parse("20060102-150405", string(r.Run)[:min(15, len(r.Run))]); err == nil {
		began = at
	}
	out := provenance.RunDetails{
		Builder:  provenance.BuilderID{ID: provenance.BuilderURI},
		Metadata: provenance.BuildMetadata{InvocationID: string(r.Run), StartedOn: began, FinishedOn: s.Clock.Now().Truncate(time.Second)},
	}
	if s.Version != "" {
		out.Builder.Version = map[string]string{"slipway": s.Version}
	}
	return out
}

// checkSecrets keeps secrets out of statements, which are public.
func (s Step) checkSecrets(what string, raw []byte) error {
	if s.ContainsSecret != nil && s.ContainsSecret(string(raw)) {
		return fault.New(fault.Denied, "the provenance of %s would contain the value of a secret", what).
			Hint("remove it from slipway.yaml and pass it as ${NAME} in env")
	}
	return nil
}
