// Package sigstore signs statements and checks signatures as Sigstore does: with
// a key, or with the identity that a CI vouches for. Bundles are what cosign
// writes and reads.
package sigstore

import (
	"net/http"
	"time"

	"github.com/sigstore/sigstore-go/pkg/root"

	"github.com/slipway-cd/slipway/internal/port"
)

// Sigstore's public services.
const (
	publicFulcio     = "https://fulcio.sigstore.dev"
	publicRekor      = "https://rekor.sigstore.dev"
	publicTimestamps = "https://timestamp.sigstore.dev/api/v1/timestamp"
)

// audience is for whom a CI's token has to be.
const audience = "sigstore"

// requestTimeout is how long one service may take to answer.
const requestTimeout = 30 * time.Second

// maxBundle is the largest bundle that is read: bills of materials are large.
const maxBundle = 64 << 20

// Config of a Sigstore. The zero value is useful.
type Config struct {
	Cache     string                      // folder for the public root of trust; empty: it is asked for each time
	Environ   func(string) (string, bool) // where the CI's token is; nil: os.LookupEnv
	Transport http.RoundTripper           // default http.DefaultTransport
	Clock     func() time.Time            // default time.Now
}

// Sigstore fulfils port.SignerFactory and port.Verifier. Safe for concurrent use.
type Sigstore struct {
	c      Config
	public *publicRoot
}

var (
	_ port.SignerFactory = Sigstore{}
	_ port.Verifier      = Sigstore{}
)

// New makes one; nothing is asked yet.
func New(c Config) Sigstore {
	if c.Transport == nil {
		c.Transport = http.DefaultTransport
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	return Sigstore{c, &publicRoot{clock: c.Clock, fetch: func() (root.TrustedMaterial, error) { return fetchPublic(c.Cache) }}}
}

// NewSigner makes a signer of a key, or of the CI's identity.
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
