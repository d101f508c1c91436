package oci

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/slipway-cd/slipway/internal/adapter/oci/modelfiles"
	"github.com/slipway-cd/slipway/internal/blob"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
)

// What a model looks like in a registry.
const (
	ModelType = modelfiles.ArtifactType
	fileType  = types.MediaType("application/vnd.slipway.model.file.v1")
	emptyType = types.MediaType("application/vnd.oci.empty.v1+json")
	emptyJSON = "{}"
	titleKey  = modelfiles.TitleKey
)

// manifest is the OCI artifact manifest of a model, or of what refers to a
// subject; go-containerregistry's type lacks artifactType.
type manifest struct {
	SchemaVersion int               `json:"schemaVersion"`
	MediaType     types.MediaType   `json:"mediaType"`
	ArtifactType  string            `json:"artifactType"`
	Config        v1.Descriptor     `json:"config"`
	Layers        []v1.Descriptor   `json:"layers"`
	Subject       *v1.Descriptor    `json:"subject,omitempty"`
	Annotations   map[string]string `json:"annotations,omitempty"`
}

// rawManifest is a manifest as bytes, which is what its digest is of.
type rawManifest []byte

func (r rawManifest) RawManifest() ([]byte, error)        { return r, nil }
func (r rawManifest) MediaType() (types.MediaType, error) { return types.OCIManifestSchema1, nil }
func (r rawManifest) digest() delivery.Digest             { return delivery.DigestOf(r) }

// Store keeps the files below dir. Files only: a link would not mean the same
// elsewhere, and is refused.
func (r *Registry) Store(ctx context.Context, group, dir string, annotations map[string]string) (delivery.Digest, error) {
	repository, err := modelRepository(group)
	if err != nil {
		return "", err
	}
	at, err := r.repoRef(ctx, repository)
	if err != nil {
		return "", err
	}
	act := fmt.Sprintf("store model %s from %s", group, dir)
	files, err := modelFiles(ctx, act, dir)
	if err != nil {
		return "", err
	}
	m, err := modelManifest(files, annotations)
	if err != nil {
		return "", fmt.Errorf("%s: %w", act, err)
	}
	parts := []v1.Descriptor{}
	for _, f := range files {
		parts = append(parts, f.Descriptor)
	}
	need, err := at.prepare(act, parts)
	if err != nil {
		return "", err
	}
	err = at.upload(files, m)
	if err != nil && at.embedded != nil && ctx.Err() == nil && (isNoSpace(err) || lacksSpace(at.embedded.Dir(), need)) {
		return "", diskFull(act, at.embedded.Dir(), "the model", need, err)
	}
	if err == nil {
		err = at.save(ctx, m.digest())
	}
	if err != nil {
		return "", at.toFault(ctx, act, err)
	}
	return m.digest(), nil
}

// upload puts the files, and the manifest last: before it nothing is visible.
func (p repoRef) upload(files []modelFile, m rawManifest) error {
	for _, f := range append(files, emptyLayer()) {
		if err := remote.WriteLayer(p.repo, f, p.options...); err != nil {
			return fmt.Errorf("%s: %w", f.Annotations[titleKey], err)
		}
	}
	return remote.Put(p.repo.Digest(string(m.digest())), m, p.options...)
}

func modelManifest(files []modelFile, annotations map[string]string) (rawManifest, error) {
	m := manifest{SchemaVersion: 2, MediaType: types.OCIManifestSchema1, ArtifactType: ModelType, Annotations: annotations}
	m.Config = emptyLayer().Descriptor
	for _, f := range files {
		m.Layers = append(m.Layers, f.Descriptor)
	}
	return json.Marshal(m)
}

// modelFile is a regular file as a layer. Its digest is known before it is
// uploaded; the registry refuses it if it changed meanwhile.
type modelFile struct {
	v1.Descriptor
	path    string
	content string // when there is no path
}

func emptyLayer() modelFile {
	return modelFile{content: emptyJSON, Descriptor: v1.Descriptor{
		MediaType: emptyType, Size: int64(len(emptyJSON)), Digest: v1Hash(delivery.DigestOf([]byte(emptyJSON)))}}
}

// Digest and the methods below make it a layer.
func (f modelFile) Digest() (v1.Hash, error)             { return f.Descriptor.Digest, nil }
func (f modelFile) DiffID() (v1.Hash, error)             { return f.Descriptor.Digest, nil }
func (f modelFile) Size() (int64, error)                 { return f.Descriptor.Size, nil }
func (f modelFile) MediaType() (types.MediaType, error)  { return f.Descriptor.MediaType, nil }
func (f modelFile) Uncompressed() (io.ReadCloser, error) { return f.Compressed() }
func (f modelFile) Compressed() (io.ReadCloser, error) {
	if f.path == "" {
		return io.NopCloser(strings.NewReader(f.content)), nil
	}
	return os.Open(f.path)
}

// modelFiles reads and digests all files, sorted by name.
func modelFiles(ctx context.Context, act, dir string) ([]modelFile, error) {
	var files []modelFile
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		title := filepath.ToSlash(rel)
		if !d.Type().IsRegular() {
			return fault.New(fault.Invalid, "%s: %s is not a regular file", act, title).Hint("a model may contain regular files only, no links, sockets or devices")
		}
		if !modelfiles.ValidTitle(title) {
			return fault.New(fault.Invalid, "%s: invalid file name %q", act, title).Hint("use printable characters and no backslash")
		}
		f := modelFile{path: path, Descriptor: v1.Descriptor{MediaType: fileType, Annotations: map[string]string{titleKey: title}}}
		if f.Descriptor.Digest, f.Descriptor.Size, err = digestFile(ctx, path); err != nil {
			return err
		}
		files = append(files, f)
		return nil
	})
	var own *fault.Error
	switch {
	case err == nil && len(files) == 0:
		return nil, fault.New(fault.Invalid, "%s: no files found", act).Hint("check that the training writes to its output folder")
	case err == nil:
		return files, nil
	case ctx.Err() != nil:
		return nil, fmt.Errorf("%s: %w", act, context.Cause(ctx))
	case errors.As(err, &own):
		return nil, err
	}
	return nil, fault.New(fault.FileKind(err), "%s", act).Cause(err)
}

func digestFile(ctx context.Context, path string) (v1.Hash, int64, error) {
	f, err := os.Open(path)
	if err != nil {
		return v1.Hash{}, 0, err
	}
	defer f.Close()
	d, n, err := delivery.DigestReader(blob.ContextReader(ctx, f))
	return v1Hash(d), n, err
}

func v1Hash(d delivery.Digest) v1.Hash { return v1.Hash{Algorithm: "sha256", Hex: d.Hex()} }
