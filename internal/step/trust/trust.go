// Package trust holds what a release pins against an environment's trust policy:
// who signed the image and the model, and what the signed statements say of how
// they came to be. Deploy and rollback ask it before anything begins; whoever
// wants to know why asks it for the whole chain.
package trust

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/provenance"
	"github.com/slipway-cd/slipway/internal/step"
)

// Verifier checks releases.
type Verifier struct {
	Attestations port.AttestationStore
	Signatures   port.Verifier
}

// Check is one link of a release's chain.
type Check struct {
	Name     string               `json:"link"` // "image: signature"
	Verdict  delivery.Verdict     `json:"verdict"`
	Text     string               `json:"text"`           // what holds, or why it does not
	Hint     string               `json:"hint,omitempty"` // what to do
	By       *port.SignerIdentity `json:"by,omitempty"`
	Details  []string             `json:"details,omitempty"`  // builder, commit, materials...
	Required bool                 `json:"required,omitempty"` // the policy demands it

	err error
}

// Verify returns nil when the release carries all that the policy demands. What
// is missing or wrong is fault.Denied, and says what; what could not be asked
// is fault.Unavailable, and never trusted.
func (j Verifier) Verify(ctx context.Context, rel delivery.Release, p step.TrustParams) error {
	links, err := j.checks(ctx, rel, p, false)
	if err != nil {
		return err
	}
	for _, l := range links {
		if l.Required && l.Verdict != delivery.Passed {
			return l.err
		}
	}
	return nil
}

// Explain checks every link, also those that the policy does not demand. The
// error is the context's; all other trouble is in the links.
func (j Verifier) Explain(ctx context.Context, rel delivery.Release, p step.TrustParams) ([]Check, error) {
	return j.checks(ctx, rel, p, true)
}

// checks checks every link, or with less only those that the policy demands: bills
// of materials are large, and need not be read when nobody asks for them.
func (j Verifier) checks(ctx context.Context, rel delivery.Release, p step.TrustParams, all bool) ([]Check, error) {
	if j.Attestations == nil || j.Signatures == nil {
		return nil, fault.New(fault.Internal, "verify the signatures of %s: no verifier is configured", rel.Image)
	}
	image := j.collect(ctx, port.Subject{Image: rel.Image}, p, all)
	links := []Check{image.checkSignature(), image.checkImageProvenance(rel.Commit, rel.Tree), image.checkSBOM()}
	var model evidence
	if rel.Model != nil {
		model = j.collect(ctx, port.Subject{Model: *rel.Model}, p, all)
		links = append(links, model.checkSignature(), model.checkModelProvenance(), model.checkSBOM())
	}
	links = append(links, checkPinned(rel, image, model)...)
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return links, nil
}

// evidence is what is attached to a subject, sorted by whether its signature
// counts.
type evidence struct {
	subject  port.Subject
	policy   step.TrustParams
	err      error // it could not be asked
	trusted  []trustedStatement
	rejected []error
}

// collect opens everything that is attached. One statement that can't be read does
// not hide another that is good, but trouble with the registry does: what was
// not seen might have been the reason.
func (j Verifier) collect(ctx context.Context, s port.Subject, p step.TrustParams, all bool) evidence {
	e := evidence{subject: s, policy: p}
	listed, err := j.Attestations.Attachments(ctx, s)
	if err != nil {
		e.err = err
		return e
	}
	for _, a := range listed {
		if !all && !e.requires(step.RequireSBOM) && (a.Type == provenance.CycloneDXPredicate || a.Type == provenance.SPDXPredicate) {
			continue // a wrong hint can hide a statement, never make one count
		}
		raw, err := j.Attestations.Bundle(ctx, s, a)
		if err == nil {
			var v port.VerifiedStatement
			if v, err = j.Signatures.Verify(ctx, raw, p.TrustPolicy); err == nil {
				err = e.add(v)
			}
		}
		switch {
		case err == nil:
		case fault.Is(err, fault.Denied), fault.Is(err, fault.Corrupt):
			e.rejected = append(e.rejected, err)
		default:
			e.err = err
			return e
		}
	}
	return e
}

// requires tells whether the policy demands a thing.
func (e evidence) requires(what string) bool { return slices.Contains(e.policy.Require, what) }

// newCheck is one that holds or not; err nil: it holds.
func (e evidence) newCheck(what string, by *port.SignerIdentity, err error, text string, details ...string) Check {
	kind := "image"
	if e.subject.Model.Digest != "" {
		kind = "model"
	}
	l := Check{Name: kind + ": " + what, Verdict: delivery.Passed, Text: text, By: by, Details: details, Required: e.requires(what)}
	if err != nil {
		l.fail(err)
	}
	return l
}

func (l *Check) fail(err error) {
	l.Verdict, l.Text, l.Hint, l.err = delivery.Failed, err.Error(), fault.HintOf(err), err
	if !fault.Is(err, fault.Denied) {
		l.Verdict = delivery.Unavailable
	}
}

// missing is why there is no accepted statement of some sort.
func (e evidence) missing(what, hint string) error {
	if e.err != nil {
		return e.unavailable()
	}
	if len(e.rejected) == 0 {
		return fault.New(fault.Denied, "%s has no %s", e.subject, what).Hint("%s", hint)
	}
	var why []string
	for _, err := range e.rejected {
		if text := err.Error(); !slices.Contains(why, text) {
			why = append(why, text)
		}
	}
	return fault.New(fault.Denied, "%s has no trusted %s: %s", e.subject, what, strings.Join(why, "; ")).
		Hint("trusted signers: %s", e.trustedSigners())
}

// unavailable turns the registry's trouble into an answer. What is not what its
// digest says was changed by somebody: that is a no, and not a "don't know".
func (e evidence) unavailable() error {
	kind := fault.KindOf(e.err)
	switch kind {
	case fault.Corrupt, fault.NotFound:
		return fault.New(fault.Denied, "%s does not match what the release pins", e.subject).Cause(e.err).
			Hint("%s", or(fault.HintOf(e.err), "find out who changed it, and deliver it again"))
	case fault.Invalid, fault.Denied:
	default:
		kind = fault.Unavailable
	}
	return fault.New(kind, "verify %s", e.subject).Cause(e.err).
		Hint("%s", or(fault.HintOf(e.err), "an artifact that can't be verified is not trusted; run again"))
}

// trustedSigners lists who counts, for hints.
func (e evidence) trustedSigners() string {
	var who []string
	for _, k := range e.policy.Keys {
		who = append(who, "key "+k.Name)
	}
	for _, id := range e.policy.Identities {
		who = append(who, fmt.Sprintf("%s (by %s)", id.Subject, id.Issuer))
	}
	return strings.Join(who, ", ")
}

func or(text, otherwise string) string {
	if text != "" {
		return text
	}
	return otherwise
}
