package step

import (
	"encoding/json"
	"fmt"
	"runtime"

	"github.com/slipway-cd/slipway/internal/delivery"
)

// inputsTagPrefix begins the tags that name images by what they were built from.
const inputsTagPrefix = "inputs-"

// Reproducible reports whether building the same inputs again, anywhere, gives the
// same image. Only Go's toolchain does: the commands of a Dockerfile fetch what
// there is at the time, and what builders of other kinds do is not known.
func (p BuildParams) Reproducible() bool {
	return p.Go != "" && p.Dockerfile == "" && (p.Kind == "" || p.Kind == "go")
}

// InputsDigest returns the digest of what an image of the service is built from:
// files, the digest of the files, and the parameters that decide about its
// content, with the names of secrets but not their values. The toolchain's version
// is not part of it, so that all machines have the same.
func (p BuildParams) InputsDigest(service string, files delivery.Digest) (delivery.Digest, error) {
	p.Repository, p.Cache, p.NoLookup = "", "", false // where it goes, and what saves time
	if len(p.Platforms) == 0 {
		p.Platforms = []string{"linux/" + runtime.GOARCH}
	}
	raw, err := json.Marshal(struct {
		Service string          `json:"service"`
		Files   delivery.Digest `json:"files"`
		Params  BuildParams     `json:"params"`
	}{service, files, p})
	if err != nil {
		return "", fmt.Errorf("digest the inputs of the build: %w", err)
	}
	return delivery.DigestOf(raw), nil
}

// InputsTag returns the tag of the image that was built from these inputs.
func InputsTag(inputs delivery.Digest) string { return inputsTagPrefix + inputs.Hex()[:32] }
