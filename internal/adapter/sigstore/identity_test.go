package sigstore

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/digitorus/timestamp"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/testing/ca"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest"
)

const (
	issuer   = "https://token.example.com"
	ciSecret = "hunter2-request-token"
)

// fakeSigstore is a Sigstore of one's own on this machine: a CI that gives tokens, an
// authority that makes certificates of them, and a clock.
type fakeSigstore struct {
	t       *testing.T
	url     string
	subject string // of the certificate

	top, middle *x509.Certificate
	middleKey   *ecdsa.PrivateKey
	clock       *x509.Certificate
	clockMiddle *x509.Certificate
	clockKey    *ecdsa.PrivateKey

	status atomic.Int64 // of the authority, 0: it is well
	early  time.Duration
}

func newFakeSigstore(t *testing.T) *fakeSigstore {
	t.Helper()
	p := &fakeSigstore{t: t, subject: "deliver@mlops.example.com"}
	top, topKey, err := ca.GenerateRootCa()
	p.must(err)
	p.top = top
	p.middle, p.middleKey, err = ca.GenerateFulcioIntermediate(top, topKey)
	p.must(err)
	var clockMiddleKey *ecdsa.PrivateKey
	p.clockMiddle, clockMiddleKey, err = ca.GenerateTSAIntermediate(top, topKey)
	p.must(err)
	p.clockKey, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	p.must(err)
	p.clock, err = ca.GenerateTSALeafCert(time.Now().Add(-5*time.Minute), p.clockKey, p.clockMiddle, clockMiddleKey)
	p.must(err)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /token", p.token)
	mux.HandleFunc("POST /fulcio/api/v2/signingCert", p.certify)
	mux.HandleFunc("POST /clock", p.stamp)
	mux.HandleFunc("GET /endless", func(w http.ResponseWriter, _ *http.Request) {
		for _, err := w.Write([]byte(`{"value": "`)); err == nil; {
			_, err = w.Write(bytes.Repeat([]byte("a.b."), 1<<16))
		}
	})
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	p.url = srv.URL
	return p
}

func (p *fakeSigstore) must(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

func (p *fakeSigstore) token(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "Bearer "+ciSecret || r.URL.Query().Get("audience") != "sigstore" || r.URL.Query().Get("api-version") != "2.0" {
		w.WriteHeader(http.StatusForbidden)
		return
	}
	claims, _ := json.Marshal(map[string]any{"iss": issuer, "sub": p.subject, "email": p.subject, "email_verified": true})
	part := base64.RawURLEncoding.EncodeToString
	_ = json.NewEncoder(w).Encode(map[string]string{"value": part([]byte(`{"alg":"none"}`)) + "." + part(claims) + "." + part([]byte("x"))})
}

// publicOnly is a key that one can only certify.
type publicOnly struct{ key crypto.PublicKey }

func (p publicOnly) Public() crypto.PublicKey { return p.key }
func (publicOnly) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return nil, errors.New("it can't sign")
}

func (p *fakeSigstore) certify(w http.ResponseWriter, r *http.Request) {
	if s := int(p.status.Load()); s != 0 {
		w.WriteHeader(s)
		return
	}
	var asked struct {
		PublicKeyRequest struct {
			PublicKey struct{ Content string }
		}
	}
	if err := json.NewDecoder(r.Body).Decode(&asked); err != nil || !strings.HasPrefix(r.Header.Get("Authorization"), "Bearer ") {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	block, _ := pem.Decode([]byte(asked.PublicKeyRequest.PublicKey.Content))
	public, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	leaf, err := ca.GenerateLeafCert(p.subject, issuer, time.Now().Add(-time.Minute-p.early), publicOnly{public}, p.middle, p.middleKey)
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	text := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leaf.Raw}))
	_ = json.NewEncoder(w).Encode(map[string]any{"signedCertificateEmbeddedSct": map[string]any{"chain": map[string]any{"certificates": []string{text}}}})
}

func (p *fakeSigstore) stamp(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	asked, err := timestamp.ParseRequest(body)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	now := timestamp.Timestamp{
		HashAlgorithm: asked.HashAlgorithm, HashedMessage: asked.HashedMessage, Time: time.Now(),
		Policy: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 2},
	}
	answer, err := now.CreateResponseWithOpts(p.clock, p.clockKey, crypto.SHA256)
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	w.WriteHeader(http.StatusCreated)
	_, _ = w.Write(answer)
}

// root is what others trust it by.
func (p *fakeSigstore) root() string {
	p.t.Helper()
	from, to := time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	r, err := root.NewTrustedRoot(root.TrustedRootMediaType01,
		[]root.CertificateAuthority{&root.FulcioCertificateAuthority{Root: p.top, Intermediates: []*x509.Certificate{p.middle}, ValidityPeriodStart: from, ValidityPeriodEnd: to}},
		nil,
		[]root.TimestampingAuthority{&root.SigstoreTimestampingAuthority{Root: p.top, Intermediates: []*x509.Certificate{p.clockMiddle}, Leaf: p.clock, ValidityPeriodStart: from, ValidityPeriodEnd: to}},
		nil)
	p.must(err)
	raw, err := r.MarshalJSON()
	p.must(err)
	return string(raw)
}

func (p *fakeSigstore) config() Config {
	env := map[string]string{tokenURL: p.url + "/token?api-version=2.0", tokenSecret: ciSecret}
	return Config{Environ: func(name string) (string, bool) { v, ok := env[name]; return v, ok }}
}

func (p *fakeSigstore) signer() port.Signer {
	p.t.Helper()
	s, err := New(p.config()).NewSigner(port.SignRequest{Fulcio: p.url + "/fulcio/", Timestamps: p.url + "/clock"})
	p.must(err)
	return s
}

func (p *fakeSigstore) trust(subjects ...string) port.TrustPolicy {
	t := port.TrustPolicy{Root: p.root()}
	for _, s := range subjects {
		t.Identities = append(t.Identities, port.TrustedIdentity{Issuer: issuer, Subject: s})
	}
	return t
}

func TestIdentitySigner_Conformance(t *testing.T) {
	porttest.TestSigning(t, func(t *testing.T) porttest.SigningFixture {
		p, q := newFakeSigstore(t), newFakeSigstore(t)
		q.subject = "somebody@else.example.com"
		return porttest.SigningFixture{
			Signer: p.signer(), Other: q.signer(), Verifier: New(Config{}),
			Trusted: p.trust("nobody@example.com", "deliver@*.example.com"), OtherTrusted: q.trust("*@else.example.com"),
		}
	})
}

// TestVerify_Identities: a certificate counts only under the trusted root, for
// its identity, and while it is valid.
func TestVerify_Identities(t *testing.T) {
	p, q := newFakeSigstore(t), newFakeSigstore(t)
	late := newFakeSigstore(t)
	late.early = time.Hour
	sign := func(p *fakeSigstore) []byte {
		b, err := p.signer().Sign(t.Context(), []byte(statement))
		p.must(err)
		return b
	}
	good := sign(p)
	_, keys := newKeySignerPair(t, "ann")
	otherIssuer := p.trust(p.subject)
	otherIssuer.Identities[0].Issuer = "https://token.example.org"
	for name, c := range map[string]struct {
		bundle []byte
		trust  port.TrustPolicy
		text   string // of the error
	}{
		"another subject":     {good, p.trust("deliver@mlops.example.org"), "identity that the policy does not trust"},
		"the subject within":  {good, p.trust("mlops.example"), "identity that the policy does not trust"},
		"another issuer":      {good, otherIssuer, "identity that the policy does not trust"},
		"another root":        {good, q.trust(p.subject), "under a root that the policy does not trust"},
		"keys only":           {good, keys, "the policy trusts only keys"},
		"signed after expiry": {sign(late), late.trust(late.subject), "under a root that the policy does not trust"},
		"without a timestamp": {withoutMaterial(t, good, "timestampVerificationData"), p.trust(p.subject), "under a root that the policy does not trust"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := New(Config{}).Verify(t.Context(), c.bundle, c.trust)
			if !fault.Is(err, fault.Denied) || !strings.Contains(err.Error(), c.text) {
				t.Errorf("error = %v, want %s with %q", err, fault.Denied, c.text)
			}
		})
	}
	if _, err := New(Config{}).Verify(t.Context(), good, port.TrustPolicy{Root: "{}", Identities: p.trust("*").Identities}); !fault.Is(err, fault.Invalid) {
		t.Errorf("a root that is none: %v", err)
	}
	key, _ := newKeySignerPair(t, "ann")
	b, err := key.Sign(t.Context(), []byte(statement))
	p.must(err)
	if _, err := New(Config{}).Verify(t.Context(), b, p.trust("*")); !fault.Is(err, fault.Denied) {
		t.Errorf("a key where identities are trusted: %v", err)
	}
}

// withoutMaterial removes a part of a bundle's verification material.
func withoutMaterial(t *testing.T, bundle []byte, part string) []byte {
	t.Helper()
	var b map[string]any
	if err := json.Unmarshal(bundle, &b); err != nil {
		t.Fatal(err)
	}
	material := b["verificationMaterial"].(map[string]any)
	if material[part] == nil {
		t.Fatalf("the bundle has no %s", part)
	}
	delete(material, part)
	out, err := json.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestIdentitySigner_WithoutIdentity(t *testing.T) {
	p := newFakeSigstore(t)
	env := func(url, secret string) Config {
		return Config{Environ: func(name string) (string, bool) {
			return map[string]string{tokenURL: url, tokenSecret: secret}[name], true
		}}
	}
	for name, c := range map[string]struct {
		config Config
		kind   fault.Kind
	}{
		"no CI":                    {env("", ""), fault.Denied},
		"plain HTTP":               {env("http://ci.example.com/token", ciSecret), fault.Denied},
		"wrong secret":             {env(p.url+"/token", "hunter2-wrong"), fault.Unavailable},
		"connection refused":       {env("http://127.0.0.1:1/token", ciSecret), fault.Unavailable},
		"endless response":         {env(p.url+"/endless", ciSecret), fault.Unavailable},
		"no token in the response": {env(p.url+"/nowhere", ciSecret), fault.Unavailable},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := New(c.config).NewSigner(port.SignRequest{Fulcio: p.url + "/fulcio", Timestamps: p.url + "/clock"})
			p.must(err)
			_, err = s.Sign(t.Context(), []byte(statement))
			if !fault.Is(err, c.kind) || strings.Contains(err.Error()+fault.HintOf(err), "hunter2") {
				t.Errorf("error = %v, want %s without the secret", err, c.kind)
			}
		})
	}
	p.status.Store(http.StatusForbidden)
	if _, err := p.signer().Sign(t.Context(), []byte(statement)); !fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), "403") {
		t.Errorf("an authority that refuses: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := newFakeSigstore(t).signer().Sign(ctx, []byte(statement)); err == nil {
		t.Error("signed after it was stopped")
	}
}
