// Package sigstore signs statements and verifies signatures with Sigstore, by a
// key or by the identity that a CI provider issues. Bundles are compatible with
// cosign.
package sigstore

import (
	"net/http"
	"time"

	"github.com/sigstore/sigstore-go/pkg/root"

	"github.com/slipway-cd/slipway/internal/port"
)

// Sigstore implements port.SignerFactory and port.Verifier. Safe for concurrent use.
type Sigstore struct {
	c      Config
	public *publicRoot
}

var (
	_ port.SignerFactory = Sigstore{}
	_ port.Verifier      = Sigstore{}
)

// New returns a Sigstore without accessing any service.
func New(c Config) Sigstore {
	if c.Transport == nil {
		c.Transport = http.DefaultTransport
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	return Sigstore{c, &publicRoot{clock: c.Clock, fetch: func() (root.TrustedMaterial, error) { return fetchPublic(c.Cache) }}}
}

// NewSigner returns a signer for a key, or for the CI's identity.
func (s Sigstore) NewSigner(o port.SignRequest) (port.Signer, error) {
	if len(o.Key) > 0 {
		k, err := readKey(o.Key, o.Passphrase)
		if err != nil {
			return nil, err
		}
		return keySigner{k}, nil
	}
	return &identitySigner{config: s.c, request: o}, nil
}
