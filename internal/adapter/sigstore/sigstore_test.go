package sigstore

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest"
)

// newKeySignerPair returns a signer and a policy that trusts it.
func newKeySignerPair(t *testing.T, name string) (port.Signer, port.TrustPolicy) {
	t.Helper()
	private, public, err := Generate([]byte("pass of " + name))
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(Config{}).NewSigner(port.SignRequest{Key: private, Passphrase: []byte("pass of " + name)})
	if err != nil {
		t.Fatal(err)
	}
	return s, port.TrustPolicy{Keys: []port.TrustedKey{{Name: name + ".pub", PEM: string(public)}}}
}

func TestKeySigner_Conformance(t *testing.T) {
	porttest.TestSigning(t, func(t *testing.T) porttest.SigningFixture {
		s := porttest.SigningFixture{Verifier: New(Config{})}
		s.Signer, s.Trusted = newKeySignerPair(t, "ann")
		s.Other, s.OtherTrusted = newKeySignerPair(t, "bob")
		return s
	})
}

const statement = `{"_type":"https://in-toto.io/Statement/v1","subject":[{"digest":{"sha256":"1111111111111111111111111111111111111111111111111111111111111111"}}],"predicateType":"https://sigstore.dev/cosign/sign/v1","predicate":{}}`

// TestVerify_RejectsTampering changes each part of a bundle and keeps it
// well-formed.
func TestVerify_RejectsTampering(t *testing.T) {
	signer, trusted := newKeySignerPair(t, "ann")
	mallory, malloryTrusted := newKeySignerPair(t, "mallory")
	good, err := signer.Sign(t.Context(), []byte(statement))
	if err != nil {
		t.Fatal(err)
	}
	forged, err := mallory.Sign(t.Context(), []byte(strings.ReplaceAll(statement, "1111", "2222")))
	if err != nil {
		t.Fatal(err)
	}
	two := append(trusted.Keys, malloryTrusted.Keys...)
	if v, err := New(Config{}).Verify(t.Context(), good, port.TrustPolicy{Keys: append(malloryTrusted.Keys, trusted.Keys...)}); err != nil || v.Signer.Name != "ann.pub" {
		t.Errorf("with two trusted keys: signer %q, %v; want ann.pub", v.Signer.Name, err)
	}
	if v, err := New(Config{}).Verify(t.Context(), forged, port.TrustPolicy{Keys: two}); err != nil || v.Signer.Name != "mallory.pub" {
		t.Errorf("with two trusted keys: signer %q, %v; want mallory.pub", v.Signer.Name, err)
	}
	envelope := func(b map[string]any) map[string]any { return b["dsseEnvelope"].(map[string]any) }
	signature := func(b map[string]any) map[string]any { return envelope(b)["signatures"].([]any)[0].(map[string]any) }
	var other map[string]any
	if err := json.Unmarshal(forged, &other); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(b map[string]any){
		"payload":               func(b map[string]any) { envelope(b)["payload"] = envelope(other)["payload"] },
		"signature":             func(b map[string]any) { signature(b)["sig"] = signature(other)["sig"] },
		"no signature":          func(b map[string]any) { envelope(b)["signatures"] = []any{} },
		"a second signature":    func(b map[string]any) { envelope(b)["signatures"] = []any{signature(b), signature(other)} },
		"payload type":          func(b map[string]any) { envelope(b)["payloadType"] = "text/plain" },
		"payload and signature": func(b map[string]any) { b["dsseEnvelope"] = other["dsseEnvelope"] },
		"a message instead": func(b map[string]any) {
			b["messageSignature"] = map[string]any{"messageDigest": map[string]any{"algorithm": "SHA2_256", "digest": base64.StdEncoding.EncodeToString(make([]byte, 32))}, "signature": signature(b)["sig"]}
			delete(b, "dsseEnvelope")
		},
		"nothing to verify with": func(b map[string]any) { delete(b, "verificationMaterial") },
	} {
		t.Run(name, func(t *testing.T) {
			var b map[string]any
			if err := json.Unmarshal(good, &b); err != nil {
				t.Fatal(err)
			}
			change(b)
			raw, err := json.Marshal(b)
			if err != nil {
				t.Fatal(err)
			}
			_, err = New(Config{}).Verify(t.Context(), raw, trusted)
			if !fault.Is(err, fault.Denied) && !fault.Is(err, fault.Corrupt) {
				t.Errorf("Verify = %v, want %s or %s", err, fault.Denied, fault.Corrupt)
			}
			if _, ok := signer.OwnStatement(t.Context(), raw); ok {
				t.Error("OwnStatement accepted it")
			}
		})
	}
}

func TestReadKey(t *testing.T) {
	fresh, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	large, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	encode := func(kind string, der []byte, err error) []byte {
		if err != nil {
			t.Fatal(err)
		}
		return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
	}
	ec, err := x509.MarshalECPrivateKey(fresh)
	plainEC := encode(ecPEM, ec, err)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(fresh)
	plain := encode(plainPEM, pkcs8, err)
	pkcs8, err = x509.MarshalPKCS8PrivateKey(large)
	p384 := encode(plainPEM, pkcs8, err)
	sealed, public, err := Generate([]byte("s3cret-passphrase"))
	if err != nil {
		t.Fatal(err)
	}
	cosign := bytes.Replace(sealed, []byte("SIGSTORE"), []byte("COSIGN"), 2)
	for name, c := range map[string]struct {
		key, pass string
		text      string // of the error; "": none
	}{
		"EC":                {string(plainEC), "", ""},
		"PKCS 8":            {string(plain), "", ""},
		"sealed":            {string(sealed), "s3cret-passphrase", ""},
		"cosign's old":      {string(cosign), "s3cret-passphrase", ""},
		"with blank lines":  {"\n\n" + string(plain) + "\n", "", ""},
		"wrong passphrase":  {string(sealed), "s3cret-passphras", "wrong passphrase"},
		"no passphrase":     {string(sealed), "", "wrong passphrase"},
		"public":            {string(public), "", "not a private key"},
		"P-384":             {string(p384), "", "P-256"},
		"cut":               {string(plain[:60]), "", "not in PEM format"},
		"not in PEM format": {"s3cret", "", "not in PEM format"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := New(Config{}).NewSigner(port.SignRequest{Key: []byte(c.key), Passphrase: []byte(c.pass)})
			if c.text == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), c.text) || fault.HintOf(err) == "" {
				t.Errorf("error = %v (hint %q), want %s with %q and a hint", err, fault.HintOf(err), fault.Invalid, c.text)
			}
			for _, secret := range []string{c.pass, strings.TrimSpace(c.key)} {
				if err != nil && len(secret) > 5 && strings.Contains(err.Error()+fault.HintOf(err), secret) {
					t.Errorf("error %v contains the secret", err)
				}
			}
		})
	}
}

func TestVerify_InvalidTrustedKeys(t *testing.T) {
	signer, _ := newKeySignerPair(t, "ann")
	b, err := signer.Sign(t.Context(), []byte(statement))
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"", "cosign.pub", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"} {
		_, err := New(Config{}).Verify(t.Context(), b, port.TrustPolicy{Keys: []port.TrustedKey{{Name: "cosign.pub", PEM: text}}})
		if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "cosign.pub") {
			t.Errorf("%q: %v, want invalid, naming the file", text, err)
		}
	}
}

func TestSubjectPattern(t *testing.T) {
	if got := subjectPattern("https://github.com/a.b/*@refs/heads/main"); got != `\Ahttps://github\.com/a\.b/.*@refs/heads/main\z` {
		t.Error(got)
	}
}
