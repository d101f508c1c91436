// Package embedded is an OCI registry in a folder, served by this process: the
// library of the CNCF's distribution, with the referrers API that it lacks, and
// mended where it takes a blob that is there for one that is whole. It knows how
// distribution lays its files out on the disk.
package embedded

import (
	"net/http"
	"sync"
)

// Host stands for the embedded registry in requests that never leave this process;
// the domain .invalid is reserved.
const Host = "embedded.slipway.invalid"

// DefaultAddress is where other tools find the registry while it listens.
const DefaultAddress = "127.0.0.1:5000"

// Registry is a registry in a folder. Several processes may have the same folder
// open. Safe for concurrent use.
type Registry struct {
	dir       string
	handler   http.Handler
	transport http.RoundTripper
	closers   []func() error
	inFlight  sync.RWMutex // held for reading by each request
}

// Dir returns the registry's folder.
func (r *Registry) Dir() string { return r.dir }

// Transport returns the way to the registry within this process, for requests to Host.
func (r *Registry) Transport() http.RoundTripper { return r.transport }
