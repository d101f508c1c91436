package fake

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// Builder writes small OCI layouts whose digest depends on the order alone.
type Builder struct {
	Fail error

	mu    sync.Mutex
	Built []port.BuildRequest // in order; read it when nothing runs
}

var _ port.Builder = (*Builder)(nil)

// Build writes the layout.
func (b *Builder) Build(_ context.Context, o port.BuildRequest, log io.Writer) (port.BuiltImage, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.Built = append(b.Built, o)
	fmt.Fprintln(log, "compiling", o.Go)
	if b.Fail != nil {
		return port.BuiltImage{}, b.Fail
	}
	layer := fmt.Appendf(nil, "%s %s", o.Go, o.Service)
	config := []byte("{}")
	manifest, err := json.Marshal(map[string]any{"config": describe(config), "layers": []any{describe(layer)}})
	if err != nil {
		return port.BuiltImage{}, err
	}
	for _, blob := range [][]byte{layer, config, manifest} {
		if err := write(filepath.Join(o.Layout, "blobs", "sha256", delivery.DigestOf(blob).Hex()), blob); err != nil {
			return port.BuiltImage{}, err
		}
	}
	index, err := json.Marshal(map[string]any{"manifests": []any{describe(manifest)}})
	if err != nil {
		return port.BuiltImage{}, err
	}
	size := int64(len(layer) + len(config) + len(manifest))
	return port.BuiltImage{Digest: delivery.DigestOf(manifest), Size: size, Layout: o.Layout}, write(filepath.Join(o.Layout, "index.json"), index)
}

// Fingerprint names it.
func (b *Builder) Fingerprint(context.Context) (string, error) { return "fake1", b.Fail }

func describe(blob []byte) map[string]any {
	return map[string]any{"digest": delivery.DigestOf(blob), "size": len(blob)}
}

func write(path string, content []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, content, 0o644)
}

// ImageStore is a registry of names and digests.
type ImageStore struct {
	Fail error
	// Respond is what the registry says that it got; nil: what it was sent.
	Respond func(delivery.Image) delivery.Image

	mu   sync.Mutex
	held map[string]string         // image -> tag
	tags map[string]delivery.Image // repository:tag -> image

	Revisions []string // "image commit" of AttachRevision, in order
}

var _ port.ImageStore = (*ImageStore)(nil)

// Push keeps the image's name.
func (i *ImageStore) Push(_ context.Context, _ string, img delivery.Image, tag string, p port.Progress) (delivery.Image, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.Fail != nil {
		return delivery.Image{}, i.Fail
	}
	if p != nil {
		p(1_000_000, 2_000_000)
		p(2_000_000, 2_000_000)
	}
	if i.held == nil {
		i.held = map[string]string{}
	}
	i.held[img.String()] = tag
	i.tag(img, tag)
	if i.Respond != nil {
		return i.Respond(img), nil
	}
	return img, nil
}

// Has tells whether it was pushed.
func (i *ImageStore) Has(_ context.Context, img delivery.Image) (bool, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	_, ok := i.held[img.String()]
	return ok, i.Fail
}

// Find looks the tag up.
func (i *ImageStore) Find(_ context.Context, repository, tag string) (delivery.Image, bool, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	img, ok := i.tags[repository+":"+tag]
	_, held := i.held[img.String()]
	return img, ok && held, i.Fail
}

// Tag tags an image that was pushed.
func (i *ImageStore) Tag(_ context.Context, img delivery.Image, tag string) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if _, ok := i.held[img.String()]; !ok {
		return fault.New(fault.NotFound, "tag %s as %s: not found", img, tag)
	}
	i.tag(img, tag)
	return i.Fail
}

func (i *ImageStore) tag(img delivery.Image, tag string) {
	if i.tags == nil {
		i.tags = map[string]delivery.Image{}
	}
	i.tags[img.Repository+":"+tag] = img
}

// AttachRevision keeps the commit's name.
func (i *ImageStore) AttachRevision(_ context.Context, img delivery.Image, commit delivery.Commit) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.Fail == nil {
		i.Revisions = append(i.Revisions, img.String()+" "+commit.SHA)
	}
	return i.Fail
}

// Download has nothing to download.
func (i *ImageStore) Download(_ context.Context, img delivery.Image, _ string) error {
	return fault.New(fault.NotFound, "image %s has no files", img)
}

// Unpack has nothing to unpack.
func (i *ImageStore) Unpack(_ context.Context, img delivery.Image, _ string) (port.ImageConfig, error) {
	return port.ImageConfig{}, fault.New(fault.NotFound, "image %s has no files", img)
}

// Reference is a name on this machine.
func (i *ImageStore) Reference(img delivery.Image) string { return "localhost/" + img.String() }

// Forget drops an image.
func (i *ImageStore) Forget(img delivery.Image) {
	i.mu.Lock()
	defer i.mu.Unlock()
	delete(i.held, img.String())
}

// ArtifactStore names folders by their content and keeps nothing else.
type ArtifactStore struct {
	Fail error

	mu    sync.Mutex
	Saved []string // folders
}

var _ port.ArtifactStore = (*ArtifactStore)(nil)

// Store reads the folder.
func (a *ArtifactStore) Store(_ context.Context, _, dir string, annotations map[string]string) (delivery.Digest, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.Fail != nil {
		return "", a.Fail
	}
	a.Saved = append(a.Saved, dir)
	h := sha256.New()
	fmt.Fprintln(h, annotations)
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		raw, err := os.ReadFile(path)
		rel, _ := filepath.Rel(dir, path)
		fmt.Fprintf(h, "%q %q\n", rel, raw)
		return err
	})
	return delivery.DigestFromHash(h), err
}

// Fetch has nothing to fetch.
func (a *ArtifactStore) Fetch(_ context.Context, m delivery.ModelRef, _ string) error {
	return fault.New(fault.NotFound, "the files of %s are not kept", m)
}
