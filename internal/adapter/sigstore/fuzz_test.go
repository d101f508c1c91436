package sigstore

import (
	"encoding/json"
	"testing"

	"github.com/slipway-cd/slipway/internal/port"
)

// FuzzVerify: nothing but what the trusted key has signed is believed, whatever a registry
// hands out as a bundle.
func FuzzVerify(f *testing.F) {
	private, public, err := Generate([]byte("pass"))
	if err != nil {
		f.Fatal(err)
	}
	signer, err := New(Config{}).NewSigner(port.SignRequest{Key: private, Passphrase: []byte("pass")})
	if err != nil {
		f.Fatal(err)
	}
	statement := []byte(`{"_type":"https://in-toto.io/Statement/v1"}`)
	signed, err := signer.Sign(f.Context(), statement)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(signed)
	f.Add([]byte(`{}`))
	f.Add([]byte(`{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","dsseEnvelope":{"payload":"e30=","payloadType":"application/vnd.in-toto+json","signatures":[{"sig":"AA=="}]},"verificationMaterial":{"publicKey":{"hint":"x"}}}`))
	f.Add([]byte(`{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","verificationMaterial":{"certificate":{"rawBytes":"AA=="}}}`))
	f.Add([]byte(`{"dsseEnvelope":null,"messageSignature":{}}`))
	policy := port.TrustPolicy{Keys: []port.TrustedKey{{Name: "k", PEM: string(public)}}}
	f.Fuzz(func(t *testing.T, raw []byte) {
		got, err := New(Config{}).Verify(t.Context(), raw, policy)
		if err == nil && string(got.Statement) != string(statement) {
			t.Errorf("%s is believed, by %s", got.Statement, raw)
		}
		if err == nil && !json.Valid(raw) {
			t.Errorf("believed without being JSON: %q", raw)
		}
	})
}
