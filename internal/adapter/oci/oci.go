// Package oci keeps images and models in OCI registries: in the embedded one,
// which is a folder of this machine, or in any other that the user names.
package oci

import (
	"context"
	"net/http"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/slipway-cd/slipway/internal/adapter/oci/modelprogram"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// DefaultAddress is where other tools find the embedded registry while it listens.
const DefaultAddress = "127.0.0.1:5000"

// Config of a Registry. Zero values are useful, except that without Embedded
// every repository needs a host.
type Config struct {
	Embedded      func() (*Embedded, error) // asked at the first use; see Lazy
	Address       string                    // where Embedded listens for other tools; default DefaultAddress
	Keychain      authn.Keychain            // default: Docker's configuration and its credential helpers
	Transport     http.RoundTripper         // to the other registries; default: go-containerregistry's
	RetryDelay    time.Duration             // before the first of two retries; default 1 s
	VerifyContent bool                      // Fetch reads every byte of a folder that is already there
	Programs      Programs                  // what a packed model brings along; default: those that `make` embedded
	OS, Arch      string                    // which image of a multi-platform one; default this machine's, on linux
}

// Programs gives the program that takes models out of images, by architecture.
type Programs func() (map[string][]byte, error)

// Registry fulfils port.ImageStore, port.ArtifactStore, port.ModelImagePacker and
// port.AttestationStore. Safe for concurrent use.
type Registry struct {
	c Config
}

var (
	_ port.ImageStore       = (*Registry)(nil)
	_ port.ArtifactStore    = (*Registry)(nil)
	_ port.ModelImagePacker = (*Registry)(nil)
	_ port.AttestationStore = (*Registry)(nil)
)

// New makes a Registry; nothing is opened or asked yet.
func New(c Config) *Registry {
	if c.Address == "" {
		c.Address = DefaultAddress
	}
	if c.Keychain == nil {
		c.Keychain = authn.DefaultKeychain
	}
	if c.Transport == nil {
		c.Transport = remote.DefaultTransport
	}
	if c.RetryDelay == 0 {
		c.RetryDelay = time.Second
	}
	if c.Programs == nil {
		c.Programs = modelprogram.Programs
	}
	if c.OS == "" {
		c.OS = "linux"
	}
	if c.Arch == "" {
		c.Arch = hostArch
	}
	return &Registry{c: c}
}

// Reference is the name under which other tools on this machine pull the image.
func (r *Registry) Reference(img delivery.Image) string {
	if n, err := parseName(img.Repository); err == nil && n.host == "" {
		return r.c.Address + "/" + img.String()
	}
	return img.String()
}

// repoRef is one repository with the way to reach it.
type repoRef struct {
	repo        name.Repository
	embedded    *Embedded // nil: another registry
	displayName string    // host, for people
	transport   http.RoundTripper
	options     []remote.Option
}

// repoRef finds the repository; nothing is asked yet.
func (r *Registry) repoRef(ctx context.Context, repository string) (repoRef, error) {
	n, err := parseName(repository)
	if err != nil {
		return repoRef{}, err
	}
	if n.host == "" {
		return r.embeddedRef(ctx, n)
	}
	repo, err := name.NewRepository(n.host+"/"+n.path, name.StrictValidation)
	if err != nil {
		return repoRef{}, fault.New(fault.Invalid, "repository %q", repository).Cause(err)
	}
	safe := requireTLS{r.c.Transport}
	options := append(r.commonOptions(ctx),
		remote.WithTransport(safe),
		remote.WithAuthFromKeychain(r.c.Keychain),
		remote.WithRetryBackoff(remote.Backoff{Duration: r.c.RetryDelay, Factor: 3, Jitter: 0.1, Steps: 3}))
	return repoRef{repo: repo, displayName: n.host, transport: safe, options: options}, nil
}

func (r *Registry) embeddedRef(ctx context.Context, n repoName) (repoRef, error) {
	if r.c.Embedded == nil {
		return repoRef{}, fault.New(fault.Invalid, "repository %q has no registry", n.path).
			Hint("put the registry's host before it: registry.example.com/%s", n.path)
	}
	e, err := r.c.Embedded()
	if err != nil {
		return repoRef{}, err
	}
	repo, err := name.NewRepository(embeddedHost+"/"+n.path, name.StrictValidation)
	if err != nil {
		return repoRef{}, fault.New(fault.Invalid, "repository %q", n.path).Cause(err)
	}
	// A folder does not get better by asking again: no retries.
	options := append(r.commonOptions(ctx),
		remote.WithTransport(e.transport),
		remote.WithAuth(authn.Anonymous),
		remote.WithRetryBackoff(remote.Backoff{Duration: time.Millisecond, Steps: 1}),
		remote.WithRetryStatusCodes())
	return repoRef{repo: repo, embedded: e, displayName: "the embedded registry", transport: e.transport, options: options}, nil
}

func (r *Registry) commonOptions(ctx context.Context) []remote.Option {
	return []remote.Option{
		remote.WithContext(ctx),
		remote.WithUserAgent("slipway"),
		remote.WithPlatform(v1.Platform{OS: r.c.OS, Architecture: r.c.Arch}),
	}
}

// requireTLS refuses to speak plain HTTP with anything but this machine: the
// library would, to private networks, and passwords would go with it.
type requireTLS struct{ next http.RoundTripper }

func (c requireTLS) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Scheme != "https" && !isLoopback(req.URL.Hostname()) {
		return nil, fault.New(fault.Denied, "speak unencrypted HTTP with %s", req.URL.Host).
			Hint("give the registry a certificate; only registries on this machine may go without")
	}
	return c.next.RoundTrip(req)
}
