package sigstore

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/verify"
	"github.com/sigstore/sigstore/pkg/signature"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// Verify checks a signature against the trusted keys, or against the trusted
// identities if the bundle has a certificate.
func (s Sigstore) Verify(ctx context.Context, raw []byte, t port.TrustPolicy) (port.VerifiedStatement, error) {
	b, err := parseBundle(raw)
	if err != nil {
		return port.VerifiedStatement{}, fault.New(fault.Corrupt, "read a signature").Cause(err)
	}
	content, err := b.VerificationContent()
	if err != nil {
		return port.VerifiedStatement{}, fault.New(fault.Corrupt, "read a signature").Cause(err)
	}
	var by port.SignerIdentity
	if content.Certificate() != nil {
		by, err = s.byIdentity(ctx, b, t)
	} else {
		by, err = byKey(b, t.Keys)
	}
	if err != nil {
		return port.VerifiedStatement{}, err
	}
	return port.VerifiedStatement{Statement: b.GetDsseEnvelope().GetPayload(), Signer: by}, nil
}

// byKey returns the trusted key that signed the bundle. The key hint in the
// bundle is unsigned and not used.
func byKey(b *bundle.Bundle, keys []port.TrustedKey) (port.SignerIdentity, error) {
	for _, k := range keys {
		public, der, err := readPublic(k.PEM)
		if err != nil {
			return port.SignerIdentity{}, fault.New(fault.Invalid, "read the trusted key %s", k.Name).Cause(err).
				Hint("use an ECDSA P-256 public key in PEM format, such as cosign.pub")
		}
		checker, err := signature.LoadECDSAVerifier(public, crypto.SHA256)
		if err != nil {
			return port.SignerIdentity{}, fmt.Errorf("use the trusted key %s: %w", k.Name, err)
		}
		material := root.NewTrustedPublicKeyMaterial(func(string) (root.TimeConstrainedVerifier, error) {
			return root.NewExpiringKey(checker, time.Time{}, time.Time{}), nil
		})
		v, err := verify.NewVerifier(material, verify.WithNoObserverTimestamps(), verify.WithoutStatementPredicate())
		if err != nil {
			return port.SignerIdentity{}, fmt.Errorf("use the trusted key %s: %w", k.Name, err)
		}
		if _, err := v.Verify(b, verify.NewPolicy(verify.WithoutArtifactUnsafe(), verify.WithKey())); err == nil {
			return port.SignerIdentity{Key: fingerprint(der), Name: k.Name}, nil
		}
	}
	return port.SignerIdentity{}, fault.New(fault.Denied, "signed by a key that the policy does not trust, or modified after signing")
}

// byIdentity verifies the certificate against the trust root, and its identity
// against the trusted ones.
func (s Sigstore) byIdentity(ctx context.Context, b *bundle.Bundle, t port.TrustPolicy) (port.SignerIdentity, error) {
	if len(t.Identities) == 0 {
		return port.SignerIdentity{}, fault.New(fault.Denied, "signed by an identity, but the policy trusts only keys")
	}
	trusted, err := s.root(ctx, t.Root)
	if err != nil {
		return port.SignerIdentity{}, err
	}
	v, err := verify.NewVerifier(trusted, verifierOptions(trusted)...)
	if err != nil {
		return port.SignerIdentity{}, fmt.Errorf("use the trust root: %w", err)
	}
	var matchers []verify.PolicyOption
	for _, id := range t.Identities {
		m, err := verify.NewShortCertificateIdentity(id.Issuer, "", "", subjectPattern(id.Subject))
		if err != nil {
			return port.SignerIdentity{}, fault.New(fault.Invalid, "trust the identity %s", id.Subject).Cause(err)
		}
		matchers = append(matchers, verify.WithCertificateIdentity(m))
	}
	res, err := v.Verify(b, verify.NewPolicy(verify.WithoutArtifactUnsafe(), matchers...))
	if err != nil {
		return port.SignerIdentity{}, deniedError(err)
	}
	c := res.Signature.Certificate
	return port.SignerIdentity{Issuer: c.Issuer, Subject: c.SubjectAlternativeName}, nil
}

// verifierOptions require what the trust root makes verifiable: entries in its
// logs and timestamps of its authorities. A short-lived certificate proves
// nothing without evidence of when it was used.
func verifierOptions(m root.TrustedMaterial) []verify.VerifierOption {
	options := []verify.VerifierOption{verify.WithObserverTimestamps(1), verify.WithoutStatementPredicate()}
	if len(m.RekorLogs()) > 0 {
		options = append(options, verify.WithTransparencyLog(1))
	}
	if len(m.CTLogs()) > 0 {
		options = append(options, verify.WithSignedCertificateTimestamps(1))
	}
	return options
}

func deniedError(err error) error {
	var other *verify.ErrNoMatchingCertificateIdentity
	if errors.As(err, &other) {
		return fault.New(fault.Denied, "signed by an identity that the policy does not trust").Cause(err)
	}
	return fault.New(fault.Denied, "signed under a root that the policy does not trust, or modified after signing").Cause(err)
}

// subjectPattern returns an anchored regular expression for a subject, in which *
// matches any characters.
func subjectPattern(subject string) string {
	parts := strings.Split(subject, "*")
	for i := range parts {
		parts[i] = regexp.QuoteMeta(parts[i])
	}
	return `\A` + strings.Join(parts, ".*") + `\z`
}

// root parses the given trust root, or returns that of the public Sigstore if
// there is none.
func (s Sigstore) root(ctx context.Context, given string) (root.TrustedMaterial, error) {
	if given == "" {
		return s.public.get(ctx)
	}
	r, err := root.NewTrustedRootFromJSON([]byte(given))
	if err != nil {
		return nil, fault.New(fault.Invalid, "read the trust root").Cause(err).
			Hint("set trust.root to a trusted_root.json, created with `cosign trusted-root create`")
	}
	return r, nil
}
