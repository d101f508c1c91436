package port

import (
	"context"
	"encoding/json"
	"io"

	"github.com/slipway-cd/slipway/internal/delivery"
)

// BuildRequest says what to build.
type BuildRequest struct {
	Dir        string // checkout, absolute
	Go         string // main package relative to Dir ("./cmd/api"); "" with a Dockerfile
	Commit     delivery.Commit
	Service    string
	Repository string

	Env    map[string]string // for the build, e.g. GOFLAGS
	Layout string            // absolute folder: the OCI layout to write

	Options json.RawMessage // of a builder of another kind; only that builder reads it

	Dockerfile *Dockerfile           // nil with Go
	OnProgress func(progress string) // one short line that replaces the last; may be nil
}

// Dockerfile says what to build from a Dockerfile. Paths are relative to the
// order's Dir, with slashes.
type Dockerfile struct {
	Path      string            // of the Dockerfile
	Context   string            // folder; "" and ".": Dir itself
	Target    string            // stage; "": the last one
	Args      map[string]string // they stay in the image's history
	Secrets   map[string][]byte // id -> value: for mounts alone, never kept or said
	SSH       bool              // let mounts use the agent at SSH_AUTH_SOCK
	Platforms []string          // "linux/arm64"; none: this machine's
	Cache     string            // repository to take layers from, and to put them to; "": none
}

// BuiltImage is an image in an OCI layout on disk, not yet pushed.
type BuiltImage struct {
	Digest delivery.Digest `json:"digest"` // of the manifest, or of the index with several platforms
	Size   int64           `json:"size"`   // bytes of all blobs
	Layout string          `json:"layout"` // folder

	// Bases are the images that it was built from, pinned by digest, if the
	// builder knows them, sorted.
	Bases []string `json:"bases,omitempty"`
}

// Builder makes images.
type Builder interface {
	// Build writes the image into o.Layout, whole or not at all. The same order
	// for the same commit gives the same digest on any machine of the same
	// toolchain, as far as the user's own commands do. What the toolchain says
	// goes to log, without the order's secrets. When ctx ends, the build does, at once.
	Build(ctx context.Context, o BuildRequest, log io.Writer) (BuiltImage, error)
	// Fingerprint names the toolchain ("go1.26.8 ko0.19 linux/amd64"): it is part
	// of the cache key. It is quick, and starts nothing.
	Fingerprint(ctx context.Context) (string, error)
}

// Progress is called now and then with bytes done and bytes in all (0: unknown).
type Progress func(done, total int64)

// ImageStore is an OCI registry. Repositories without a host are the embedded one's.
type ImageStore interface {
	// Push uploads what the registry lacks from the OCI layout and tags it.
	// It returns the pinned image. Idempotent.
	Push(ctx context.Context, layout string, img delivery.Image, tag string, p Progress) (delivery.Image, error)
	// Has tells whether the registry holds the image by digest.
	Has(ctx context.Context, img delivery.Image) (bool, error)
	// Unpack makes dir the image's root file system (idempotent: a finished one
	// is kept) and returns how to start it. Every blob is checked against its
	// digest; entries that would leave dir are refused.
	Unpack(ctx context.Context, img delivery.Image, dir string) (ImageConfig, error)
	// Reference is the name under which other tools on this machine pull it.
	Reference(img delivery.Image) string
}

// ImageConfig is what an image says about how to start it.
type ImageConfig struct {
	Entrypoint []string `json:"entrypoint"`
	Cmd        []string `json:"cmd"`
	Env        []string `json:"env"`
	WorkingDir string   `json:"working_dir"`
	User       string   `json:"user"`
}

// ArtifactStore keeps model files as OCI artifacts.
type ArtifactStore interface {
	// Store packs the regular files below dir, sorted, without times or owners,
	// and returns the manifest's digest: same files, same digest.
	Store(ctx context.Context, group, dir string, annotations map[string]string) (delivery.Digest, error)
	// Fetch makes dir hold exactly those files, read-only, each checked against
	// its digest; whole or not at all. Idempotent. A file that is not what was
	// stored is fault.Corrupt.
	Fetch(ctx context.Context, m delivery.ModelRef, dir string) error
}
