package trust_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest/fake"
	"github.com/slipway-cd/slipway/internal/provenance"
	"github.com/slipway-cd/slipway/internal/step"
	"github.com/slipway-cd/slipway/internal/step/trust"
)

// TestVerifyObjects: every image that the manifests run is held against the policy, in
// whatever kind of container or object it is.
func TestVerifyObjects(t *testing.T) {
	own := delivery.Image{Repository: "registry.example.com/api", Digest: fake.Digest(1)}
	signed := delivery.Image{Repository: "registry.example.com/sidecar", Digest: fake.Digest(3)}
	pod := func(text string) string {
		return fmt.Sprintf(`[{"kind":"Deployment","metadata":{"name":"api"},"spec":{"template":{"spec":{%s}}}}]`, text)
	}
	container := func(image string) string { return fmt.Sprintf(`"containers":[{"name":"a","image":%q}]`, image) }
	for name, c := range map[string]struct {
		objects string
		images  []string
		want    string // part of the refusal; empty: none
	}{
		"no objects":             {"", nil, ""},
		"the release's own":      {pod(container(own.String())), nil, ""},
		"another tag of its own": {pod(container("registry.example.com/api:v1@" + string(own.Digest))), nil, ""},
		"packed by Slipway":      {pod(`"initContainers":[{"image":"registry.example.com/api@` + string(fake.Digest(9)) + `"}],` + container(own.String())), nil, ""},
		"signed":                 {pod(container(signed.Repository + ":1.2@" + string(signed.Digest))), nil, ""},
		"not signed":             {pod(container("registry.example.com/other@" + string(fake.Digest(4)))), nil, "Deployment api runs the image registry.example.com/other@"},
		"by a tag":               {pod(container("registry.example.com/sidecar:1.2")), nil, "named by a tag"},
		"as an init container":   {pod(`"initContainers":[{"image":"evil"}],` + container(own.String())), nil, "named by a tag"},
		"as a volume":            {pod(`"volumes":[{"name":"v","image":{"reference":"evil:1"}}],` + container(own.String())), nil, "named by a tag"},
		"in a CronJob": {`[{"kind":"CronJob","metadata":{"name":"c"},"spec":{"jobTemplate":{"spec":{"template":{"spec":{"containers":[{"image":"evil:1"}]}}}}}}]`,
			nil, "CronJob c runs the image evil:1"},
		"listed":               {pod(container("docker.io/istio/proxyv2:1.27")), []string{"docker.io/istio/*"}, ""},
		"listed by its digest": {pod(container("busybox@" + string(fake.Digest(4)))), []string{"busybox@" + string(fake.Digest(4))}, ""},
		"another one listed":   {pod(container("docker.io/istio/proxyv2:1.27")), []string{"docker.io/istio/pilot:*"}, "named by a tag"},
		"unreadable":           {"{", nil, "read the objects"},
	} {
		t.Run(name, func(t *testing.T) {
			w := world{AttestationStore: &fake.AttestationStore{}, t: t}
			of := port.Subject{Image: signed}
			raw, err := provenance.SignatureStatement(signed.Digest)
			w.sign("ann", of, raw, err)
			p := step.TrustParams{TrustPolicy: fake.TrustPolicy("ann"), Require: []string{step.RequireSignature}, Images: c.images}
			rel := delivery.Release{Image: own, Objects: c.objects}
			err = trust.Verifier{Attestations: w.AttestationStore, Signatures: fake.Verifier{}}.VerifyObjects(t.Context(), rel, p, fake.Digest(9))
			switch {
			case c.want == "" && err != nil:
				t.Error(err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("error = %v, want one with %q", err, c.want)
			case c.want != "" && name != "unreadable" && (!fault.Is(err, fault.Denied) || !strings.Contains(fault.HintOf(err), "trust.images")):
				t.Errorf("error = %v (%s), want it denied", err, fault.HintOf(err))
			}
		})
	}
}
