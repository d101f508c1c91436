package deploy

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest/fake"
	"github.com/slipway-cd/slipway/internal/provenance"
	"github.com/slipway-cd/slipway/internal/step"
)

// withSidecar renders pods that run another image beside the release's own.
type withSidecar struct{ *rendering }

func (d withSidecar) Render(_ context.Context, m port.Manifests) (port.Rendered, error) {
	objects := fmt.Sprintf(`[{"kind":"Deployment","metadata":{"name":"api"},"spec":{"template":{"spec":{"initContainers":[{"image":%q}],"containers":[{"image":%q},{"image":"docker.io/evil/miner:1"}]}}}}]`, m.ModelImage, m.Image)
	return port.Rendered{Objects: objects}, nil
}

// TestTrust_CoversImagesOfManifests: nothing is recorded or started of manifests that run
// an image which the environment does not trust.
func TestTrust_CoversImagesOfManifests(t *testing.T) {
	for name, c := range map[string]struct {
		images []string
		denied bool
	}{"not listed": {nil, true}, "listed": {[]string{"docker.io/evil/*"}, false}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d, w, s := renders()
				s.Targets = port.Targets{"local": withSidecar{d}}
				ref := *w.Release(2).Release.Model
				store := &fake.AttestationStore{}
				s.Trust.Attestations = store
				for _, of := range []port.Subject{{Image: delivery.Image{Repository: "api", Digest: fake.Digest(9)}}, {Model: ref}} {
					raw, err := provenance.SignatureStatement(of.Digest())
					if err != nil {
						t.Fatal(err)
					}
					bundle, err := fake.Signer{Name: "ann"}.Sign(t.Context(), raw)
					if err == nil {
						_, err = store.Attach(t.Context(), of, provenance.SignaturePredicate, bundle)
					}
					if err != nil {
						t.Fatal(err)
					}
				}
				r := request(step.DeployParams{
					ManifestParams: step.ManifestParams{ModelDelivery: delivery.DeliverByVolume},
					Workload:       delivery.Workload{Health: "/health"},
					Trust:          &step.TrustParams{TrustPolicy: fake.TrustPolicy("ann"), Require: []string{step.RequireSignature}, Images: c.images},
				})
				r.Inputs = pipelineOutputs(ref)
				before, _, _ := w.Records.Releases().List(t.Context(), port.ReleaseFilter{}, port.Page{})
				res, err := s.Run(t.Context(), r)
				after, _, _ := w.Records.Releases().List(t.Context(), port.ReleaseFilter{}, port.Page{})
				if !c.denied {
					if err != nil || res.Outcome != delivery.OutcomeSucceeded {
						t.Errorf("outcome = %s (%s), error = %v", res.Outcome, res.Cause, err)
					}
					return
				}
				if !fault.Is(err, fault.Denied) || !strings.Contains(err.Error(), "Deployment api runs the image docker.io/evil/miner:1") {
					t.Errorf("error = %v, want the image denied", err)
				}
				if len(d.staged) > 0 || len(after) != len(before) {
					t.Errorf("staged %v, %d releases recorded, want neither", d.staged, len(after)-len(before))
				}
			})
		})
	}
}
