package port

import (
	"context"

	"github.com/slipway-cd/slipway/internal/delivery"
)

// Manifests are the input of a Renderer: the user's files, and what is pinned
// into them.
type Manifests struct {
	Service  string
	Dir      string            // checkout, absolute
	Paths    []string          // below Dir: a YAML file or folder, a kustomization, a Helm chart; none: made from Workload
	Values   []string          // below Dir: values files for the charts
	Image    delivery.Image    // replaces every image of its repository
	Workload delivery.Workload // its settings override the files

	Model      *delivery.ModelRef
	ModelImage delivery.Image         // holds the model's files; zero: none
	Delivery   delivery.ModelDelivery // how the model gets into the pod
	Location   ModelLocation          // where the service finds it, with delivery.DeliverByEnv; zero: not known
}

// Rendered is a release's objects, without anything that depends on when or where
// they are applied: neither the location's namespace nor the release's name.
type Rendered struct {
	Objects string   // JSON array in apply order, without the values of Secrets
	Secrets []Secret // the values
	Notes   []string // for people: what was changed, or could not be pinned
}

// Digest is the digest of the objects, which a release pins.
func (r Rendered) Digest() delivery.Digest {
	return delivery.DigestOf([]byte(r.Objects))
}

// Secret is the content of a Secret object. It is passed from the renderer to the
// target and never written anywhere else.
type Secret struct {
	Name string // of the object, with the hash of its content
	Data map[string][]byte
}

// Renderer is a target that deploys objects rendered from manifests.
type Renderer interface {
	// Render reads the files and pins image, model and configuration: the same
	// input gives the same text. A file that cannot be used is fault.Invalid,
	// with its location. Nothing outside of m.Dir is read, and no cluster is
	// contacted.
	Render(ctx context.Context, m Manifests) (Rendered, error)
}

// ModelImagePacker packs models as images, so that whatever pulls the service's
// image can pull its model.
type ModelImagePacker interface {
	// Pack pushes an image with the model's files, and the program that checks
	// and copies them, into the repository, and returns it by digest. The same
	// model and program give the same digest. Idempotent. Files that do not match
	// what was stored are fault.Corrupt.
	Pack(ctx context.Context, m delivery.ModelRef, repository string) (delivery.Image, error)
}
