package oci

import (
	"bytes"
	"cmp"
	"errors"
	"io"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/slipway-cd/slipway/internal/adapter/oci/modelfiles"
)

// maxFileLayers is how many files have a layer of their own: a root file system
// has room for about 120 layers.
const maxFileLayers = 32

// groupIntoLayers gives each file a layer, so that versions share what did not change.
// Of many files only the biggest have one, and the others are together.
func groupIntoLayers(files []modelfiles.File) [][]modelfiles.File {
	own := files
	var rest []modelfiles.File
	if len(files) > maxFileLayers {
		bySize := slices.Clone(files)
		slices.SortStableFunc(bySize, func(a, b modelfiles.File) int { return cmp.Compare(b.Size, a.Size) })
		own, rest = bySize[:maxFileLayers-1], bySize[maxFileLayers-1:]
		slices.SortFunc(rest, func(a, b modelfiles.File) int { return strings.Compare(a.Title, b.Title) })
	}
	var out [][]modelfiles.File
	for _, f := range own {
		out = append(out, []modelfiles.File{f})
	}
	if len(rest) > 0 {
		out = append(out, rest)
	}
	return out
}

func (p packer) filesLayer(files []modelfiles.File) (v1.Layer, error) {
	var entries []tarEntry
	made := map[string]bool{".": true}
	for _, f := range files {
		name := path.Join(modelfiles.Folder, modelfiles.FilesFolder, f.Title)
		for _, dir := range parentDirs(name) {
			if !made[dir] {
				entries = append(entries, dirEntry(dir))
			}
			made[dir] = true
		}
		entries = append(entries, tarEntry{name: name, title: f.Title, mode: 0o444, size: f.Size, open: func() (io.ReadCloser, error) {
			blob, err := remote.Layer(p.source.repo.Digest(f.Digest), p.source.options...)
			if err != nil {
				return nil, err
			}
			return blob.Compressed()
		}})
	}
	return newTarLayer(entries...)
}

// parentDirs lists the folders of a name, the outermost first.
func parentDirs(name string) []string {
	var dirs []string
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		dirs = append(dirs, dir)
	}
	slices.Reverse(dirs)
	return dirs
}

// taggable is an image or an index.
type taggable interface {
	remote.Taggable
	Digest() (v1.Hash, error)
}

// images makes an image for each architecture, and an index if there are
// several. It returns all blobs, each once.
func (p packer) images(common []v1.Layer) (taggable, []v1.Descriptor, error) {
	all := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	var last v1.Image
	archs := slices.Sorted(maps.Keys(p.programs))
	for _, arch := range archs {
		img, err := p.image(arch, common)
		if err != nil {
			return nil, nil, err
		}
		last, all = img, mutate.AppendManifests(all, mutate.IndexAddendum{Add: img,
			Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: arch}}})
	}
	if len(archs) == 1 {
		parts, err := allDescriptors(last)
		return last, parts, err
	}
	index, ok := mutate.Annotations(all, p.labels).(v1.ImageIndex)
	if !ok {
		return nil, nil, errors.New("the annotated index is not an index")
	}
	parts, err := allDescriptors(index)
	return index, parts, err
}

func (p packer) image(arch string, common []v1.Layer) (v1.Image, error) {
	program, err := newTarLayer(memoryEntry(modelfiles.Program, 0o555, p.programs[arch]))
	if err != nil {
		return nil, err
	}
	user := strconv.Itoa(modelfiles.NonRootID)
	base, err := mutate.ConfigFile(mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON), &v1.ConfigFile{
		Architecture: arch, OS: "linux", Created: v1.Time{Time: time.Unix(0, 0).UTC()},
		Config: v1.Config{Entrypoint: []string{"/" + modelfiles.Program}, User: user + ":" + user, Labels: p.labels},
		RootFS: v1.RootFS{Type: "layers", DiffIDs: []v1.Hash{}},
	})
	if err != nil {
		return nil, err
	}
	img, err := mutate.AppendLayers(base, append(slices.Clone(common), program)...)
	if err != nil {
		return nil, err
	}
	annotated, ok := mutate.Annotations(img, p.labels).(v1.Image)
	if !ok {
		return nil, errors.New("the annotated image is not an image")
	}
	return annotated, nil
}

// allDescriptors lists the image or index and everything below it, each once.
func allDescriptors(what mutate.Appendable) ([]v1.Descriptor, error) {
	top := mutate.AppendManifests(empty.Index, mutate.IndexAddendum{Add: what})
	m, err := top.IndexManifest()
	if err != nil {
		return nil, err
	}
	_, parts, err := resolve(top, m.Manifests[0])
	if err != nil {
		return nil, err
	}
	var out []v1.Descriptor
	seen := map[v1.Hash]bool{}
	for _, part := range parts {
		if !seen[part.Digest] {
			out = append(out, part)
		}
		seen[part.Digest] = true
	}
	return out, nil
}

func memoryEntry(name string, mode int64, content []byte) tarEntry {
	return tarEntry{name: name, title: name, mode: mode, size: int64(len(content)), open: func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(content)), nil
	}}
}
