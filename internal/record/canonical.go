package record

import (
	"encoding/json"
	"fmt"

	jsoncanonicalizer "github.com/cyberphone/json-canonicalization/go/src/webpki.org/jsoncanonicalizer"

	"github.com/slipway-cd/slipway/internal/delivery"
)

// Canonical is the release as the records keep it: RFC 8785 JSON, the digest of
// those bytes, and the name made of the digest. It is pure: the same release
// has the same name everywhere and always.
func Canonical(r delivery.Release) (canonical []byte, d delivery.Digest, id delivery.ReleaseID, err error) {
	plain, err := json.Marshal(r)
	if err != nil {
		return nil, "", "", fmt.Errorf("write release of %s: %w", r.Service, err)
	}
	canonical, err = jsoncanonicalizer.Transform(plain)
	if err != nil {
		return nil, "", "", fmt.Errorf("write release of %s: %w", r.Service, err)
	}
	d, id = Identify(canonical)
	return canonical, d, id, nil
}

// Identify is the digest and the name of a release's canonical JSON.
func Identify(canonical []byte) (delivery.Digest, delivery.ReleaseID) {
	d := delivery.DigestOf(canonical)
	return d, delivery.ReleaseID("r-" + d.Short())
}
