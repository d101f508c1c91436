// Package lego has no client of a certificate authority.
package lego

import (
	"crypto"
	"crypto/x509"
	"net/http"
	"time"

	"github.com/go-acme/lego/v5/acme"
	"github.com/go-acme/lego/v5/certificate"
	"github.com/go-acme/lego/v5/challenge"
	"github.com/go-acme/lego/v5/challenge/dns01"
	"github.com/go-acme/lego/v5/challenge/http01"
	"github.com/go-acme/lego/v5/challenge/tlsalpn01"
	"github.com/go-acme/lego/v5/registration"
)

// DirectoryURLLetsEncrypt is empty: no certificate authority is called.
const DirectoryURLLetsEncrypt = ""

// User is the owner of an account.
type User interface {
	GetEmail() string
	GetRegistration() *acme.ExtendedAccount
	GetPrivateKey() crypto.Signer
}

// Config is the configuration of a client.
type Config struct {
	CADirURL, UserAgent string
	HTTPClient          *http.Client
	Certificate         struct{ Timeout time.Duration }
}

// NewConfig returns an empty configuration.
func NewConfig(User) *Config { return &Config{} }

// Client would be a client of a certificate authority.
type Client struct {
	Certificate  *certificate.Certifier
	Challenge    *Challenge
	Registration *registration.Registrar
}

// NewClient returns acme.ErrUnsupported.
func NewClient(*Config) (*Client, error) { return nil, acme.ErrUnsupported }

// CreateCertPool returns acme.ErrUnsupported.
func CreateCertPool([]string, bool) (*x509.CertPool, error) { return nil, acme.ErrUnsupported }

// Challenge proves no domain.
type Challenge struct{}

// SetDNS01Provider returns acme.ErrUnsupported.
func (*Challenge) SetDNS01Provider(challenge.Provider, ...dns01.ChallengeOption) error {
	return acme.ErrUnsupported
}

// SetHTTP01Provider returns acme.ErrUnsupported.
func (*Challenge) SetHTTP01Provider(challenge.Provider, ...http01.ChallengeOption) error {
	return acme.ErrUnsupported
}

// SetTLSALPN01Provider returns acme.ErrUnsupported.
func (*Challenge) SetTLSALPN01Provider(challenge.Provider, ...tlsalpn01.ChallengeOption) error {
	return acme.ErrUnsupported
}
