package sigstore

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"

	"github.com/sigstore/sigstore-go/pkg/fulcio/certificate"
	"github.com/sigstore/sigstore-go/pkg/sign"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// The variables with which GitHub Actions provides tokens to jobs that have the
// permission id-token: write.
const (
	tokenURL    = "ACTIONS_ID_TOKEN_REQUEST_URL"
	tokenSecret = "ACTIONS_ID_TOKEN_REQUEST_TOKEN"
)

// maxResponse is the maximum size of a response in bytes.
const maxResponse = 1 << 20

// identitySigner signs with an ephemeral key, for which Fulcio issues a
// certificate in exchange for the CI's token.
type identitySigner struct {
	config  Config
	request port.SignRequest

	mu     sync.Mutex // never held during a request
	cached *ephemeral
}

// ephemeral is a key with its certificate. It implements
// sign.CertificateProvider.
type ephemeral struct {
	key      key
	cert     []byte // DER
	identity port.SignerIdentity
}

// Sign returns the bundle, with a timestamp and an entry in the transparency log.
func (s *identitySigner) Sign(ctx context.Context, statement []byte) ([]byte, error) {
	e, err := s.identity(ctx)
	if err != nil {
		return nil, err
	}
	b, err := sign.Bundle(envelope(statement), e.key, sign.BundleOptions{
		Context: ctx, CertificateProvider: e, TransparencyLogs: s.transparencyLogs(), TimestampAuthorities: s.timestampAuthorities(ctx),
		CertificateProviderOptions: &sign.CertificateProviderOptions{},
	})
	if err != nil {
		return nil, unavailableError(ctx, "sign a statement as "+e.identity.Subject, err)
	}
	return marshalBundle(b)
}

// GetCertificate returns the certificate.
func (e *ephemeral) GetCertificate(context.Context, sign.Keypair, *sign.CertificateProviderOptions) ([]byte, error) {
	return e.cert, nil
}

// OwnStatement opens a bundle that the same identity signed. The certificate's own
// signatures are not checked: whoever deploys does that. What is planted here
// can at most keep a statement from being made again.
func (s *identitySigner) OwnStatement(ctx context.Context, raw []byte) ([]byte, bool) {
	b, err := parseBundle(raw)
	if err != nil {
		return nil, false
	}
	content, err := b.VerificationContent()
	if err != nil || content.Certificate() == nil {
		return nil, false
	}
	got, err := certificate.SummarizeCertificate(content.Certificate())
	public, ok := content.Certificate().PublicKey.(*ecdsa.PublicKey)
	if err != nil || !ok {
		return nil, false
	}
	e, err := s.identity(ctx)
	if err != nil || got.Issuer != e.identity.Issuer || got.SubjectAlternativeName != e.identity.Subject {
		return nil, false
	}
	return signedBy(b, public)
}

// Identity is the identity in the certificate.
func (s *identitySigner) Identity(ctx context.Context) (port.SignerIdentity, error) {
	e, err := s.identity(ctx)
	if err != nil {
		return port.SignerIdentity{}, err
	}
	return e.identity, nil
}

// identity requests the token and the certificate, and caches the first ones that come.
func (s *identitySigner) identity(ctx context.Context) (*ephemeral, error) {
	if e := s.cache(nil); e != nil {
		return e, nil
	}
	e, err := s.newEphemeral(ctx)
	if err != nil {
		return nil, err
	}
	return s.cache(e), nil
}

// cache keeps e unless it holds another already, and returns the one that it holds.
func (s *identitySigner) cache(e *ephemeral) *ephemeral {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cached == nil {
		s.cached = e
	}
	return s.cached
}

func (s *identitySigner) newEphemeral(ctx context.Context) (*ephemeral, error) {
	token, err := s.config.token(ctx)
	if err != nil {
		return nil, err
	}
	fresh, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("generate a key: %w", err)
	}
	k, err := newKey(fresh)
	if err != nil {
		return nil, err
	}
	fulcio := sign.NewFulcio(&sign.FulcioOptions{BaseURL: baseURL(s.request.Fulcio, publicFulcio), Timeout: requestTimeout, Retries: 1, Transport: boundTransport{ctx, s.config.Transport}})
	der, err := fulcio.GetCertificate(ctx, k, &sign.CertificateProviderOptions{IDToken: token})
	if err != nil {
		return nil, unavailableError(ctx, "get a certificate from "+baseURL(s.request.Fulcio, publicFulcio), err)
	}
	who, err := certificateIdentity(der)
	if err != nil {
		return nil, err
	}
	return &ephemeral{key: k, cert: der, identity: who}, nil
}

// certificateIdentity returns the identity in a certificate.
func certificateIdentity(der []byte) (port.SignerIdentity, error) {
	c, err := x509.ParseCertificate(der)
	if err != nil {
		return port.SignerIdentity{}, fmt.Errorf("read the certificate: %w", err)
	}
	sum, err := certificate.SummarizeCertificate(c)
	if err != nil {
		return port.SignerIdentity{}, fmt.Errorf("read the certificate: %w", err)
	}
	return port.SignerIdentity{Issuer: sum.Issuer, Subject: sum.SubjectAlternativeName}, nil
}

func (s *identitySigner) transparencyLogs() []sign.Transparency {
	if s.request.Rekor == "" && s.request.Fulcio != "" {
		return nil // a private Sigstore may have no log
	}
	return []sign.Transparency{sign.NewRekor(&sign.RekorOptions{BaseURL: baseURL(s.request.Rekor, publicRekor), Timeout: requestTimeout, Retries: 1})}
}

func (s *identitySigner) timestampAuthorities(ctx context.Context) []*sign.TimestampAuthority {
	if s.request.Timestamps == "" && s.request.Fulcio != "" {
		return nil
	}
	return []*sign.TimestampAuthority{sign.NewTimestampAuthority(&sign.TimestampAuthorityOptions{
		URL: baseURL(s.request.Timestamps, publicTimestamps), Timeout: requestTimeout, Retries: 1, Transport: boundTransport{ctx, s.config.Transport},
	})}
}

// token requests the identity token of this job from the CI. The token is a
// secret.
func (c Config) token(ctx context.Context) (string, error) {
	env := c.Environ
	if env == nil {
		env = os.LookupEnv
	}
	address, _ := env(tokenURL)
	secret, _ := env(tokenSecret)
	at, err := url.Parse(address)
	if address == "" || secret == "" || err != nil || at.Scheme != "https" && at.Hostname() != "127.0.0.1" {
		return "", fault.New(fault.Denied, "sign without a key: no CI identity token is available").
			Hint("on GitHub Actions, give the job the permission id-token: write; elsewhere use sign: {key: ...}")
	}
	query := at.Query()
	query.Set("audience", audience)
	at.RawQuery = query.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), nil)
	if err != nil {
		return "", fmt.Errorf("request a token from the CI: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+secret)
	response, err := (&http.Client{Transport: c.Transport, Timeout: requestTimeout}).Do(req)
	if err != nil {
		return "", unavailableError(ctx, "request a token from the CI", err)
	}
	defer response.Body.Close()
	var token struct{ Value string }
	err = json.NewDecoder(io.LimitReader(response.Body, maxResponse)).Decode(&token)
	if ctx.Err() != nil {
		return "", unavailableError(ctx, "request a token from the CI", err)
	}
	if err != nil || response.StatusCode != http.StatusOK || strings.Count(token.Value, ".") != 2 {
		return "", fault.New(fault.Unavailable, "request a token from the CI: status %d without a token", response.StatusCode)
	}
	if _, err := base64.RawURLEncoding.DecodeString(strings.Split(token.Value, ".")[1]); err != nil {
		return "", fault.New(fault.Unavailable, "request a token from the CI: the response is not a valid token")
	}
	return token.Value, nil
}

func unavailableError(ctx context.Context, act string, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("%s: %w", act, context.Cause(ctx))
	}
	return fault.New(fault.Unavailable, "%s", act).Cause(err).Hint("check that this machine can reach it, then run again")
}

func baseURL(text, otherwise string) string {
	if text != "" {
		return strings.TrimSuffix(text, "/")
	}
	return otherwise
}
