package sigstore

import (
	"net/http"
	"time"
)

// The public Sigstore services.
const (
	publicFulcio     = "https://fulcio.sigstore.dev"
	publicRekor      = "https://rekor.sigstore.dev"
	publicTimestamps = "https://timestamp.sigstore.dev/api/v1/timestamp"
)

// audience is the audience that a CI token must have.
const audience = "sigstore"

// requestTimeout limits one request to a service.
const requestTimeout = 30 * time.Second

// maxBundle is the maximum size of a bundle in bytes: SBOMs are large.
const maxBundle = 64 << 20

// Config configures a Sigstore. The zero value is ready to use.
type Config struct {
	Cache     string                      // folder to cache the public trust root in; empty: no cache
	Environ   func(string) (string, bool) // environment with the CI's token; default: os.LookupEnv
	Transport http.RoundTripper           // default http.DefaultTransport
	Clock     func() time.Time            // default time.Now
}
