// Package release names releases by what they contain, and finds out whether two have
// the same content or were made from the same inputs.
package release

import (
	"encoding/json"
	"fmt"

	jsoncanonicalizer "github.com/cyberphone/json-canonicalization/go/src/webpki.org/jsoncanonicalizer"

	"github.com/slipway-cd/slipway/internal/delivery"
)

// Canonical is the release as the records keep it: RFC 8785 JSON, the digest of
// those bytes, and the release's name. It is pure: the same release has the same
// name everywhere and always.
func Canonical(r delivery.Release) (canonical []byte, d delivery.Digest, id delivery.ReleaseID, err error) {
	if canonical, err = canonicalJSON(r); err != nil {
		return nil, "", "", fmt.Errorf("encode the release of %s: %w", r.Service, err)
	}
	d = delivery.DigestOf(canonical)
	if r.Schema < delivery.ReleaseForm {
		return canonical, d, nameOf(d), nil
	}
	content, err := ContentDigest(r)
	return canonical, d, nameOf(content), err
}

// Parse reads a release from its canonical JSON, and returns its digest and name.
func Parse(canonical []byte) (r delivery.Release, d delivery.Digest, id delivery.ReleaseID, err error) {
	if err := json.Unmarshal(canonical, &r); err != nil {
		return r, "", "", fmt.Errorf("decode the release: %w", err)
	}
	d = delivery.DigestOf(canonical)
	if r.Schema < delivery.ReleaseForm {
		return r, d, nameOf(d), nil
	}
	content, err := ContentDigest(r)
	return r, d, nameOf(content), err
}

// content is what a release is named by. The image's repository, and the model's
// group and version, say where the content lies, not what it is.
type content struct {
	Service   string            `json:"service"`
	Image     delivery.Digest   `json:"image"`
	Model     delivery.Digest   `json:"model,omitempty"`
	Workload  delivery.Workload `json:"workload"`
	Manifests delivery.Digest   `json:"manifests,omitempty"`
}

// ContentDigest is the digest of what a release contains, whatever its form.
// Releases of the same content are the same to quarantines, and to the question
// whether a release is deployed already.
func ContentDigest(r delivery.Release) (delivery.Digest, error) {
	return digestOf(r.Service, content{
		Service: r.Service, Image: r.Image.Digest, Model: r.ModelDigest(), Workload: r.Workload, Manifests: r.Manifests,
	})
}

// inputs is what a release was made from, as far as that is known before it is made.
type inputs struct {
	Service       string          `json:"service"`
	Build         delivery.Digest `json:"build"`
	Model         delivery.Digest `json:"model,omitempty"`
	Configuration delivery.Digest `json:"configuration"`
}

// InputsDigest is the digest of what a release was made from, or "" where that is
// not known. Building an image again may give another digest; a quarantine holds the
// inputs as well.
func InputsDigest(r delivery.Release, in delivery.Inputs) (delivery.Digest, error) {
	if in.Build == "" || in.Configuration == "" {
		return "", nil
	}
	return digestOf(r.Service, inputs{Service: r.Service, Build: in.Build, Model: r.ModelDigest(), Configuration: in.Configuration})
}

func digestOf(service string, v any) (delivery.Digest, error) {
	canonical, err := canonicalJSON(v)
	if err != nil {
		return "", fmt.Errorf("encode the release of %s: %w", service, err)
	}
	return delivery.DigestOf(canonical), nil
}

func canonicalJSON(v any) ([]byte, error) {
	plain, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return jsoncanonicalizer.Transform(plain)
}

func nameOf(d delivery.Digest) delivery.ReleaseID { return delivery.ReleaseID("r-" + d.Hex()[:12]) }
