// Package oci keeps images and models in OCI registries: in the embedded one,
// which is a folder of this machine, or in any other that the user names.
package oci

import (
	"context"
	"net/http"
	"runtime"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/slipway-cd/slipway/internal/adapter/oci/embedded"
	"github.com/slipway-cd/slipway/internal/adapter/oci/modelprogram"
	"github.com/slipway-cd/slipway/internal/adapter/oci/repository"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/loopback"
	"github.com/slipway-cd/slipway/internal/port"
)

// Config of a Registry. Zero values are useful, except that without Embedded
// every repository needs a host.
type Config struct {
	Embedded      func() (*embedded.Registry, error) // called at the first use; see embedded.Lazy
	Address       string                             // where Embedded listens for other tools; default embedded.DefaultAddress
	Keychain      authn.Keychain                     // default: Docker's configuration and its credential helpers
	Login         Login                              // before the keychain; nil: none
	Control       Control                            // of the registries that have one; nil: none has
	Transport     http.RoundTripper                  // to the other registries; default: go-containerregistry's
	RetryDelay    time.Duration                      // before the first of two retries; default 1 s
	Blobs         port.SharedBlobs                   // where Embedded is shared with other machines; nil: it is not
	VerifyContent bool                               // Fetch reads every byte of a folder that is already there
	Programs      Programs                           // what a packed model brings along; default: those that `make` embedded
	OS, Arch      string                             // which image of a multi-platform one; default this machine's, on linux
}

// Programs returns the program that takes models out of images, by architecture.
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
		c.Address = embedded.DefaultAddress
	}
	if c.Keychain == nil {
		c.Keychain = authn.DefaultKeychain
	}
	if c.Login != nil {
		c.Keychain = loginKeychain{c.Login, c.Keychain}
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
		c.Arch = runtime.GOARCH
	}
	return &Registry{c: c}
}

// Reference returns the name under which other tools on this machine pull the
// image.
func (r *Registry) Reference(img delivery.Image) string {
	if n, err := repository.Parse(img.Repository); err == nil && n.Host == "" {
		return r.c.Address + "/" + img.String()
	}
	return img.String()
}

// repoRef is one repository with the way to reach it.
type repoRef struct {
	repo        name.Repository
	embedded    *embedded.Registry // nil: another registry
	blobs       port.SharedBlobs   // nil: what is embedded is this machine's alone
	displayName string             // host, for people
	transport   http.RoundTripper
	options     []remote.Option
}

// repoRef finds the repository; nothing is asked yet.
func (r *Registry) repoRef(ctx context.Context, repoName string) (repoRef, error) {
	n, err := repository.Parse(repoName)
	if err != nil {
		return repoRef{}, err
	}
	if n.Host == "" {
		return r.embeddedRef(ctx, n)
	}
	repo, err := name.NewRepository(n.Host+"/"+n.Path, name.StrictValidation)
	if err != nil {
		return repoRef{}, fault.New(fault.Invalid, "repository %q", repoName).Cause(err)
	}
	safe := limitedResponses{requireTLS{r.c.Transport}}
	options := append(r.commonOptions(ctx),
		remote.WithTransport(safe),
		remote.WithAuthFromKeychain(r.c.Keychain),
		remote.WithRetryBackoff(remote.Backoff{Duration: r.c.RetryDelay, Factor: 3, Jitter: 0.1, Steps: 3}))
	return repoRef{repo: repo, displayName: n.Host, transport: safe, options: options}, nil
}

func (r *Registry) embeddedRef(ctx context.Context, n repository.Name) (repoRef, error) {
	if r.c.Embedded == nil {
		return repoRef{}, fault.New(fault.Invalid, "repository %q has no registry", n.Path).
			Hint("prefix it with the host of a registry: registry.example.com/%s", n.Path)
	}
	e, err := r.c.Embedded()
	if err != nil {
		return repoRef{}, err
	}
	repo, err := name.NewRepository(embedded.Host+"/"+n.Path, name.StrictValidation)
	if err != nil {
		return repoRef{}, fault.New(fault.Invalid, "repository %q", n.Path).Cause(err)
	}
	// A folder does not get better by asking again: no retries.
	options := append(r.commonOptions(ctx),
		remote.WithTransport(e.Transport()),
		remote.WithAuth(authn.Anonymous),
		remote.WithRetryBackoff(remote.Backoff{Duration: time.Millisecond, Steps: 1}),
		remote.WithRetryStatusCodes())
	return repoRef{repo: repo, embedded: e, blobs: r.c.Blobs, displayName: "the embedded registry", transport: e.Transport(), options: options}, nil
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
	if req.URL.Scheme != "https" && !loopback.IsHost(req.URL.Hostname()) {
		return nil, fault.New(fault.Denied, "send unencrypted HTTP to %s", req.URL.Host).
			Hint("give the registry a TLS certificate; only registries on this machine may use plain HTTP")
	}
	return c.next.RoundTrip(req)
}
