// Package getter stands in for github.com/hashicorp/go-getter, through which
// syft and grype can fetch snaps and databases. Slipway fetches databases itself,
// and never hands an address to either; the real package would bring programs
// (git, hg) to call and the SDKs of two clouds into the binary. It has only the
// names that they compile with, and refuses.
package getter

import (
	"errors"
	"io"
	"net/http"
	"os"
)

// ErrLeftOut is what every Get returns.
var ErrLeftOut = errors.New("downloads by this package are left out of this program")

// Getter is a way to fetch.
type Getter any

// The ways to fetch that are named by their users.
type (
	FileGetter struct{}
	GitGetter  struct{}
	GCSGetter  struct{}
	HgGetter   struct{}
	S3Getter   struct{}
	HttpGetter struct { //nolint:revive // the name that it stands in for
		Client *http.Client
		Header http.Header
	}
)

// Decompressor unpacks a file.
type Decompressor interface {
	Decompress(dst, src string, dir bool, umask os.FileMode) error
}

// Decompressors has none.
var Decompressors = LimitedDecompressors(0, 0)

// LimitedDecompressors returns none.
func LimitedDecompressors(int, int64) map[string]Decompressor { return map[string]Decompressor{} }

// ProgressTracker watches a download.
type ProgressTracker interface {
	TrackProgress(src string, current, total int64, stream io.ReadCloser) io.ReadCloser
}

// ClientOption sets something of a client.
type ClientOption func(*Client) error

// WithProgress sets nothing.
func WithProgress(ProgressTracker) func(*Client) error { return func(*Client) error { return nil } }

// WithDecompressors sets nothing.
func WithDecompressors(map[string]Decompressor) func(*Client) error {
	return func(*Client) error { return nil }
}

// Client is one download.
type Client struct {
	Src, Dst string
	Dir      bool
	Getters  map[string]Getter
	Options  []ClientOption
}

// Get refuses.
func (*Client) Get() error { return ErrLeftOut }
