package port

import (
	"context"

	"github.com/slipway-cd/slipway/internal/delivery"
)

// Subject is what statements are about: an image, or a model's files. One of
// them is zero.
type Subject struct {
	Image delivery.Image
	Model delivery.ModelRef
}

// Digest is the subject's OCI manifest.
func (s Subject) Digest() delivery.Digest {
	if s.Model.Digest != "" {
		return s.Model.Digest
	}
	return s.Image.Digest
}

func (s Subject) String() string {
	if s.Model.Digest != "" {
		return "model " + s.Model.String()
	}
	return "image " + s.Image.Repository + "@" + s.Image.Digest.Short()
}

// Attachment is a signed statement beside its subject.
type Attachment struct {
	Digest delivery.Digest // of the manifest that holds it
	Type   string          // of the predicate, as the manifest says: a hint that nobody has signed
}

// AttestationStore keeps signed statements (Sigstore bundles, as JSON) beside their
// subjects, where cosign and others find them.
type AttestationStore interface {
	// Attach keeps the bundle. The same bundle again changes nothing. A subject
	// that is not there is fault.NotFound.
	Attach(ctx context.Context, s Subject, predicateType string, bundle []byte) (Attachment, error)
	// Attachments lists what is there, in no order; nothing is an empty list. A
	// subject that is not there is fault.NotFound, one whose content is not what
	// its digest says fault.Corrupt, a registry that does not answer
	// fault.Unavailable.
	Attachments(ctx context.Context, s Subject) ([]Attachment, error)
	// Bundle reads one, whose bytes match their digests. Nothing else is believed
	// of it.
	Bundle(ctx context.Context, s Subject, a Attachment) ([]byte, error)
}

// SignerIdentity is who signed: a key or an identity.
type SignerIdentity struct {
	Key     string `json:"key,omitempty"`     // SHA-256 of the public key (PKIX, DER), hexadecimal
	Name    string `json:"name,omitempty"`    // what the policy calls the key
	Issuer  string `json:"issuer,omitempty"`  // who vouches for the identity
	Subject string `json:"subject,omitempty"` // the identity
}

func (s SignerIdentity) String() string {
	switch {
	case s.Subject != "":
		return s.Subject + " (by " + s.Issuer + ")"
	case s.Key == "":
		return "nobody"
	case s.Name != "":
		return "key " + s.Key[:min(12, len(s.Key))] + " (" + s.Name + ")"
	}
	return "key " + s.Key[:min(12, len(s.Key))]
}

// SignRequest says with what to sign: a key, or without one the identity that
// the CI vouches for.
type SignRequest struct {
	Key        []byte // PEM: an ECDSA P-256 key, plain or encrypted as cosign does
	Passphrase []byte
	Fulcio     string // addresses for an identity; empty: Sigstore's public ones
	Rekor      string
	Timestamps string
}

// Signer signs statements. Safe for concurrent use.
type Signer interface {
	// Sign returns a Sigstore bundle (v0.3, JSON) with the statement in a signed
	// envelope. Two calls give different bundles.
	Sign(ctx context.Context, statement []byte) ([]byte, error)
	// OwnStatement returns the statement of a bundle that this signer signed; ok is false
	// for any other, also for a damaged one.
	OwnStatement(ctx context.Context, bundle []byte) (statement []byte, ok bool)
	// Identity is the signer, for people.
	Identity(ctx context.Context) (SignerIdentity, error)
}

// SignerFactory makes signers. A key that can't be used is fault.Invalid; no error
// repeats any of it. Nothing is asked yet.
type SignerFactory interface {
	NewSigner(o SignRequest) (Signer, error)
}

// TrustPolicy is whose signatures count.
type TrustPolicy struct {
	Keys       []TrustedKey      `json:"keys,omitempty"`
	Identities []TrustedIdentity `json:"identities,omitempty"`
	Root       string            `json:"root,omitempty"` // trusted_root.json of the Sigstore that vouches; empty: the public one
}

// TrustedKey is a public key.
type TrustedKey struct {
	Name string `json:"name"` // for people: its file
	PEM  string `json:"pem"`
}

// TrustedIdentity is who may have signed without a key. In Subject, * stands for any
// letters.
type TrustedIdentity struct {
	Issuer  string `json:"issuer"`
	Subject string `json:"subject"`
}

// VerifiedStatement is a statement whose signature counts.
type VerifiedStatement struct {
	Statement []byte
	Signer    SignerIdentity
}

// Verifier checks signatures.
type Verifier interface {
	// Verify opens the bundle. One by somebody whom t does not name is
	// fault.Denied, one that is damaged, or no bundle, fault.Corrupt. A root of
	// trust that can't be had is fault.Unavailable. Whether the statement is about
	// what the caller wants is the caller's to check.
	Verify(ctx context.Context, bundle []byte, t TrustPolicy) (VerifiedStatement, error)
}
