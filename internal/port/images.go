package port

import (
	"context"
	"encoding/json"
	"io"

	"github.com/slipway-cd/slipway/internal/delivery"
)

// BuildRequest is what to build.
type BuildRequest struct {
	Dir        string // the service's folder in the checkout, absolute
	Root       string // the checkout, absolute; empty: it is Dir
	Go         string // main package relative to Dir ("./cmd/api"); "" with a Dockerfile
	Service    string
	Repository string

	Env    map[string]string // for the build, e.g. GOFLAGS
	Layout string            // absolute folder: the OCI layout to write
	Arch   string            // processor, with Go: "amd64"; empty: this machine's

	// CacheDir is an absolute folder for what makes the next build faster. Builds of
	// another project, or of code that is trusted less, get another one. Empty: the
	// builder's own.
	CacheDir string

	Options json.RawMessage // of a builder of another kind: the rest of its section of slipway.yaml

	Dockerfile *Dockerfile           // nil with Go
	OnProgress func(progress string) // one short line that replaces the last one; may be nil
}

// Dockerfile is how to build from a Dockerfile. Paths are relative to the
// request's Dir, with slashes.
type Dockerfile struct {
	Path      string            // of the Dockerfile
	Context   string            // folder, at most Root; "" and ".": Dir itself
	Target    string            // stage; "": the last one
	Args      map[string]string // stored in the image's history
	Secrets   map[string][]byte // by ID: for secret mounts only, never stored or printed
	SSH       bool              // give mounts the agent at SSH_AUTH_SOCK
	Platforms []string          // "linux/arm64"; none: this machine's
	Cache     string            // repository to import layers from and export them to; "": none
}

// BuiltImage is an image in an OCI layout on disk, not yet pushed.
type BuiltImage struct {
	Digest delivery.Digest `json:"digest"` // of the manifest, or of the index with several platforms
	Size   int64           `json:"size"`   // bytes of all blobs
	Layout string          `json:"layout"` // folder

	// Bases are the base images, pinned by digest and sorted, as far as the
	// builder knows them.
	Bases []string `json:"bases,omitempty"`
}

// Builder builds images.
type Builder interface {
	// Build writes the image into req.Layout, as a whole or not at all. The same
	// files and parameters give the same digest on any machine with the same
	// toolchain, whichever commit they are from, as far as the user's own commands
	// allow: the image says nothing of commits or of the time. The toolchain's
	// output goes to log, without the request's secrets. It returns soon after
	// ctx has ended.
	Build(ctx context.Context, req BuildRequest, log io.Writer) (BuiltImage, error)
	// Fingerprint identifies the toolchain ("go1.26.8 ko0.19 linux/amd64"): it is
	// part of the cache key. It is quick and starts no process.
	Fingerprint(ctx context.Context) (string, error)
}

// Progress is called now and then with the bytes done and the total (0: unknown).
type Progress func(done, total int64)

// ImageStore is an OCI registry. Repositories without a host are in the embedded
// one.
type ImageStore interface {
	// Push uploads what the registry lacks from the OCI layout and tags it; without a
	// tag, only its digest names it. It returns the pinned image. Idempotent. A tag of
	// another image that can't be moved is fault.Conflict that names both.
	Push(ctx context.Context, layout string, img delivery.Image, tag string, p Progress) (delivery.Image, error)
	// Has reports whether the registry holds the image, by digest.
	Has(ctx context.Context, img delivery.Image) (bool, error)
	// Find returns the image that a tag names. ok is false if the repository has no
	// such tag, or does not hold the image as a whole.
	Find(ctx context.Context, repository, tag string) (img delivery.Image, ok bool, err error)
	// Tag gives the tag to an image that the registry holds, whatever it named
	// before.
	Tag(ctx context.Context, img delivery.Image, tag string) error
	// Download makes dir an OCI layout of the image, of all its platforms, as a
	// whole or not at all. A layout of the image that is complete is kept.
	Download(ctx context.Context, img delivery.Image, dir string) error
	// AttachRevision records next to the image, as a referrer, that a commit builds
	// it: the image itself does not tell. The same commit again changes nothing. An
	// image that does not exist is fault.NotFound.
	AttachRevision(ctx context.Context, img delivery.Image, commit delivery.Commit) error
	// Unpack makes dir the image's root file system (idempotent: a finished one
	// is kept) and returns how to start it. Every blob is checked against its
	// digest; entries that would leave dir are refused.
	Unpack(ctx context.Context, img delivery.Image, dir string) (ImageConfig, error)
	// Reference returns the name under which other tools on this machine pull the
	// image.
	Reference(img delivery.Image) string
}

// RepositoryChecker is an optional ability of an ImageStore: of registries that tell more
// about repositories than their images.
type RepositoryChecker interface {
	// CheckRepository requires the repository to exist, or creates it if asked to;
	// otherwise a missing one is fault.NotFound. It returns, in words for people, in what
	// its settings differ from those of a repository for releases: nothing for registries
	// that have no such settings.
	CheckRepository(ctx context.Context, repository string, create bool) (drift []string, err error)
}

// DockerConverter is an optional ability of an ImageStore: of what only reads Docker's
// format.
type DockerConverter interface {
	// ToDocker makes the image for linux/amd64 in the layout one of Docker's schema 2
	// with gzip layers, which the layout lists alone afterwards. Without such an image it
	// is fault.Invalid. The same image gives the same digest.
	ToDocker(ctx context.Context, built BuiltImage) (BuiltImage, error)
}

// PullChecker is an optional ability of an ImageStore: whether images can still be
// pulled.
type PullChecker interface {
	// CheckPull requires that the image can be pulled now. One that is gone is
	// fault.NotFound, one that has to be restored first fault.Conflict, with how to. An
	// image in the embedded registry, or in one that does not respond, is not checked.
	CheckPull(ctx context.Context, img delivery.Image) error
}

// ImageConfig is how to start an image.
type ImageConfig struct {
	Entrypoint []string `json:"entrypoint"`
	Cmd        []string `json:"cmd"`
	Env        []string `json:"env"`
	WorkingDir string   `json:"working_dir"`
	User       string   `json:"user"`
	Ports      []int    `json:"ports,omitempty"` // TCP ports that it exposes, sorted
}

// ArtifactStore stores model files as OCI artifacts.
type ArtifactStore interface {
	// Store packs the regular files below dir, sorted, without times or owners,
	// and returns the manifest's digest: same files, same digest.
	Store(ctx context.Context, group, dir string, annotations map[string]string) (delivery.Digest, error)
	// Fetch makes dir hold exactly those files, read-only, each checked against
	// its digest, as a whole or not at all. Idempotent. A file that does not
	// match what was stored is fault.Corrupt.
	Fetch(ctx context.Context, m delivery.ModelRef, dir string) error
}

// ArtifactSharer is an optional ability of an ArtifactStore that keeps models on one
// machine: it makes a model that is stored here available to the machines that share a
// state. One that they reach already is left alone; fault.NotFound if it is not stored
// here.
type ArtifactSharer interface {
	Share(ctx context.Context, m delivery.ModelRef) error
}
