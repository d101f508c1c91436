package policy

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/pem"
	"slices"
	"strings"

	"github.com/slipway-cd/slipway/internal/config"
)

// RequiresTrust reports whether releases need a signature wherever they are deployed.
func (p Policy) RequiresTrust() bool {
	return slices.ContainsFunc(p.Sources, func(s Source) bool { return s.Document.Trust != nil })
}

// LimitsSigners reports whether a document says whose signatures count: all with trust do,
// but one that is about images alone. t may be nil.
func (t *Trust) LimitsSigners() bool {
	return t != nil && (t.Keys != nil || t.Identities != nil || t.Images == nil)
}

// UnsignedImages are the images, or patterns of them, that slipway.yaml may except from
// signatures.
func (p Policy) UnsignedImages() Allowed {
	return p.allowed(func(d Document) *[]string {
		if d.Trust == nil {
			return nil
		}
		return d.Trust.Images
	})
}

// AllowsImage reports whether every list has a pattern that matches all images that a
// pattern of slipway.yaml does.
func (p Policy) AllowsImage(image string) bool {
	for _, list := range p.UnsignedImages().Lists {
		if !slices.ContainsFunc(list, func(pattern string) bool { return covers(pattern, image) }) {
			return false
		}
	}
	return true
}

// AllowsKey reports whether signatures of a public key may count. A document that only
// lists identities allows no keys.
func (p Policy) AllowsKey(publicKey string) bool { return p.AllowsFingerprint(Fingerprint(publicKey)) }

// AllowsFingerprint is AllowsKey for the fingerprint of a key.
func (p Policy) AllowsFingerprint(fingerprint string) bool {
	for _, s := range p.Sources {
		t := s.Document.Trust
		if !t.LimitsSigners() {
			continue
		}
		if t.Keys == nil || fingerprint == "" || !slices.Contains(*t.Keys, fingerprint) {
			return false
		}
	}
	return true
}

// AllowsIdentity reports whether signatures of an identity may count. That of a document
// may be wider than that of slipway.yaml.
func (p Policy) AllowsIdentity(issuer, subject string) bool {
	for _, s := range p.Sources {
		t := s.Document.Trust
		if !t.LimitsSigners() {
			continue
		}
		if t.Identities == nil || !slices.ContainsFunc(*t.Identities, func(id config.Identity) bool {
			return id.Issuer == issuer && covers(id.Subject, subject)
		}) {
			return false
		}
	}
	return true
}

// covers reports whether a pattern in which * matches any characters matches everything
// that another pattern does. A * in that is matched by a * only.
func covers(pattern, other string) bool {
	head, rest, star := strings.Cut(pattern, "*")
	if !star {
		return pattern == other
	}
	after, ok := strings.CutPrefix(other, head)
	if !ok {
		return false
	}
	for i := 0; i <= len(after); i++ {
		if covers(rest, after[i:]) {
			return true
		}
	}
	return false
}

// Fingerprint names a public key in PEM: "sha256:" and the digest of its content; empty:
// it is none.
func Fingerprint(publicKey string) string {
	block, _ := pem.Decode([]byte(publicKey))
	if block == nil {
		return ""
	}
	sum := sha256.Sum256(block.Bytes)
	return "sha256:" + hex.EncodeToString(sum[:])
}
