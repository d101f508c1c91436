package port

import (
	"context"

	"github.com/slipway-cd/slipway/internal/delivery"
)

// Subject is what statements are about: an image, or a model's files. Exactly one
// is set.
type Subject struct {
	Image delivery.Image
	Model delivery.ModelRef
}

// Digest returns the digest of the subject's OCI manifest.
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

// Attachment is a signed statement that is stored next to its subject.
type Attachment struct {
	Digest delivery.Digest // of the manifest that holds it
	Type   string          // of the predicate, according to the manifest: unsigned, a hint only
}

// AttestationStore keeps signed statements (Sigstore bundles, as JSON) next to
// their subjects, where cosign and others find them.
type AttestationStore interface {
	// Attach stores the bundle. The same bundle again changes nothing. A subject
	// that does not exist is fault.NotFound.
	Attach(ctx context.Context, s Subject, predicateType string, bundle []byte) (Attachment, error)
	// Attachments lists the attachments of a subject, in no order. A subject that
	// does not exist is fault.NotFound, one whose content does not match its
	// digest fault.Corrupt, a registry that does not respond fault.Unavailable.
	Attachments(ctx context.Context, s Subject) ([]Attachment, error)
	// Bundle returns the bundle of an attachment. Only its bytes are checked,
	// against their digests.
	Bundle(ctx context.Context, s Subject, a Attachment) ([]byte, error)
}

// SignerIdentity identifies who signed: a key, or an identity that an issuer
// certified.
type SignerIdentity struct {
	Key     string `json:"key,omitempty"`     // SHA-256 of the public key (PKIX, DER), hexadecimal
	Name    string `json:"name,omitempty"`    // of the key in the trust policy
	Issuer  string `json:"issuer,omitempty"`  // who certified the identity
	Subject string `json:"subject,omitempty"` // the identity
}

func (s SignerIdentity) String() string {
	switch {
	case s.Subject != "":
		return s.Subject + " (by " + s.Issuer + ")"
	case s.Key == "":
		return "an unknown signer"
	case s.Name != "":
		return "key " + s.Key[:min(12, len(s.Key))] + " (" + s.Name + ")"
	}
	return "key " + s.Key[:min(12, len(s.Key))]
}

// SignRequest is what to sign with: a key or, without one, the identity that the
// CI provides.
type SignRequest struct {
	Key        []byte // PEM: an ECDSA P-256 key, plain or encrypted as cosign does
	Passphrase []byte
	Fulcio     string // services for signing with an identity; empty: Sigstore's public ones
	Rekor      string
	Timestamps string
}

// Signer signs statements. Safe for concurrent use.
type Signer interface {
	// Sign returns a Sigstore bundle (v0.3, JSON) with the statement in a signed
	// envelope. Two calls give different bundles.
	Sign(ctx context.Context, statement []byte) ([]byte, error)
	// OwnStatement returns the statement of a bundle that this signer signed. ok
	// is false for any other bundle, also for a damaged one.
	OwnStatement(ctx context.Context, bundle []byte) (statement []byte, ok bool)
	// Identity returns who signs, for people.
	Identity(ctx context.Context) (SignerIdentity, error)
}

// SignerFactory makes signers, without a call to any service yet. A key that
// cannot be used is fault.Invalid; no error repeats any part of it.
type SignerFactory interface {
	NewSigner(req SignRequest) (Signer, error)
}

// TrustPolicy lists whose signatures are accepted.
type TrustPolicy struct {
	Keys       []TrustedKey      `json:"keys,omitempty"`
	Identities []TrustedIdentity `json:"identities,omitempty"`
	Root       string            `json:"root,omitempty"` // trusted_root.json of the Sigstore instance; empty: the public one
}

// TrustedKey is a public key.
type TrustedKey struct {
	Name string `json:"name"` // for people: its file
	PEM  string `json:"pem"`
}

// TrustedIdentity is an identity whose signatures are accepted. In Subject, *
// stands for any characters.
type TrustedIdentity struct {
	Issuer  string `json:"issuer"`
	Subject string `json:"subject"`
}

// VerifiedStatement is a statement with an accepted signature.
type VerifiedStatement struct {
	Statement []byte
	Signer    SignerIdentity
}

// Verifier checks signatures.
type Verifier interface {
	// Verify returns the statement of the bundle. A signer that t does not list
	// is fault.Denied; a damaged bundle, or none, is fault.Corrupt; a trust root
	// that cannot be fetched is fault.Unavailable. The caller checks what the
	// statement is about.
	Verify(ctx context.Context, bundle []byte, t TrustPolicy) (VerifiedStatement, error)
}
