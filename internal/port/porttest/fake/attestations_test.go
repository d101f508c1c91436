package fake_test

import (
	"testing"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest"
	"github.com/slipway-cd/slipway/internal/port/porttest/fake"
)

func TestAttestations(t *testing.T) {
	porttest.TestAttestationStore(t, func(*testing.T) (port.AttestationStore, [2]port.Subject) {
		a := &fake.AttestationStore{Missing: func(s port.Subject) bool { return s.Digest() == fake.Digest(0) }}
		return a, [2]port.Subject{
			{Image: delivery.Image{Repository: "api", Digest: fake.Digest(1)}},
			{Model: delivery.ModelRef{Group: "m", Version: 1, Digest: fake.Digest(2)}},
		}
	})
}

func TestSignatures(t *testing.T) {
	porttest.TestSigning(t, func(*testing.T) porttest.SigningFixture {
		return porttest.SigningFixture{
			Signer: fake.Signer{Name: "ann"}, Other: fake.Signer{Name: "bob"}, Verifier: fake.Verifier{},
			Trusted: fake.TrustPolicy("ann"), OtherTrusted: fake.TrustPolicy("bob"),
		}
	})
}
