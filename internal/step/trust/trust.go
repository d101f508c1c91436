// Package trust verifies what a release pins against an environment's trust
// policy: who signed the image and the model, and how they came about according
// to the signed statements. Deploy and rollback verify before anything begins;
// `slipway provenance` explains the whole chain.
package trust

import (
	"cmp"
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

// Verifier verifies releases.
type Verifier struct {
	Attestations port.AttestationStore
	Signatures   port.Verifier
}

// Check is the result of verifying one link of a release's chain.
type Check struct {
	Name     string               `json:"link"` // "image: signature"
	Verdict  delivery.Verdict     `json:"verdict"`
	Text     string               `json:"text"`           // what was verified, or why it failed
	Hint     string               `json:"hint,omitempty"` // what to do
	By       *port.SignerIdentity `json:"by,omitempty"`
	Details  []string             `json:"details,omitempty"`  // builder, commit, materials...
	Required bool                 `json:"required,omitempty"` // the policy demands it

	err error
}

// Verify returns nil if the release has everything that the policy requires. What
// is missing or wrong is fault.Denied; what could not be checked is
// fault.Unavailable, and never trusted.
func (j Verifier) Verify(ctx context.Context, rel delivery.ReleaseRecord, p step.TrustParams) error {
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

// Explain checks every link, also those that the policy does not require. The
// error is the context's; all others are in the checks.
func (j Verifier) Explain(ctx context.Context, rel delivery.ReleaseRecord, p step.TrustParams) ([]Check, error) {
	return j.checks(ctx, rel, p, true)
}

// checks checks every link, or without all only those that the policy requires:
// SBOMs are large, and not read without need.
func (j Verifier) checks(ctx context.Context, saved delivery.ReleaseRecord, p step.TrustParams, all bool) ([]Check, error) {
	rel, origin := saved.Release, saved.Origin
	if j.Attestations == nil || j.Signatures == nil {
		return nil, fault.New(fault.Internal, "verify the signatures of %s: no verifier is configured", rel.Image)
	}
	image := j.collect(ctx, port.Subject{Image: rel.Image}, p, all)
	links := []Check{image.checkSignature(), image.checkImageProvenance(origin.Commit, origin.Tree), image.checkSBOM()}
	var model evidence
	if rel.Model != nil {
		model = j.collect(ctx, port.Subject{Model: *rel.Model}, p, all)
		links = append(links, model.checkSignature(), model.checkModelProvenance(), model.checkSBOM())
	}
	links = append(links, checkPinned(origin.Provenance, image, model)...)
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return links, nil
}

// evidence is what is attached to a subject, sorted by whether its signature is
// trusted.
type evidence struct {
	subject  port.Subject
	policy   step.TrustParams
	err      error // it could not be read
	trusted  []trustedStatement
	rejected []error
}

// collect reads everything that is attached. One unreadable statement does not
// hide another good one, but a failing registry does: what was not seen might
// have been the reason.
func (j Verifier) collect(ctx context.Context, s port.Subject, p step.TrustParams, all bool) evidence {
	e := evidence{subject: s, policy: p}
	listed, err := j.Attestations.Attachments(ctx, s)
	if err != nil {
		e.err = err
		return e
	}
	for _, a := range listed {
		if !all && !e.requires(step.RequireSBOM) && (a.Type == provenance.CycloneDXPredicate || a.Type == provenance.SPDXPredicate) {
			continue // a wrong type can hide a statement, never make one count
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

// requires reports whether the policy requires something.
func (e evidence) requires(what string) bool { return slices.Contains(e.policy.Require, what) }

// newCheck returns the result of a check; err nil: it has passed.
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

// missing returns why there is no trusted statement of some type.
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

// unavailable returns the error of a subject that could not be checked. Content
// that does not match its digest was changed: that is denied, not unavailable.
func (e evidence) unavailable() error {
	kind := fault.KindOf(e.err)
	switch kind {
	case fault.Corrupt, fault.NotFound:
		return fault.New(fault.Denied, "%s does not match what the release pins", e.subject).Cause(e.err).
			Hint("%s", cmp.Or(fault.HintOf(e.err), "find out who changed it, and deliver it again"))
	case fault.Invalid, fault.Denied:
	default:
		kind = fault.Unavailable
	}
	return fault.New(kind, "verify %s", e.subject).Cause(e.err).
		Hint("%s", cmp.Or(fault.HintOf(e.err), "an artifact that can't be verified is not trusted; run again"))
}

// trustedSigners lists the policy's signers, for hints.
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
