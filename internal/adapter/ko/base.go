package ko

import (
	"archive/tar"
	"bytes"
	"encoding/pem"
	"io"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/crypto/x509roots/fallback/bundle"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
)

const (
	// baseVersion is incremented for changes of the base image that go.mod does
	// not show. It is part of the fingerprint.
	baseVersion = 1
	user        = "65532:65532"
	home        = "/home/nonroot"
	certificate = "/etc/ssl/certs/ca-certificates.crt"
)

// baseImage returns the base image for Go servers. Its bytes are the same on
// every machine.
func baseImage(arch string) (v1.Image, error) {
	content, err := baseLayer()
	if err != nil {
		return nil, err
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(content)), nil
	}, tarball.WithCompressedCaching, tarball.WithMediaType(types.OCILayer))
	if err != nil {
		return nil, err
	}
	img := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	img, err = mutate.ConfigFile(img, &v1.ConfigFile{OS: "linux", Architecture: arch, RootFS: v1.RootFS{Type: "layers"}, Config: v1.Config{
		User:       user,
		WorkingDir: "/",
		Env:        []string{"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=" + home, "SSL_CERT_FILE=" + certificate},
	}})
	if err != nil {
		return nil, err
	}
	return mutate.Append(img, mutate.Addendum{Layer: layer, History: v1.History{CreatedBy: "slipway", Comment: "certificates, user and folders"}})
}

// baseLayer returns the layer of the base image with fixed order, times and
// owners.
func baseLayer() ([]byte, error) {
	folder := func(name string, mode int64, owner int) tar.Header {
		return tar.Header{Typeflag: tar.TypeDir, Name: name, Mode: mode, Uid: owner, Gid: owner}
	}
	file := tar.Header{Typeflag: tar.TypeReg, Mode: 0o644}
	entries := []struct {
		header tar.Header
		name   string
		body   string
	}{
		{header: folder("etc/", 0o755, 0)},
		{file, "etc/group", "root:x:0:\nnonroot:x:65532:\n"},
		{file, "etc/passwd", "root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:65532:65532:nonroot:" + home + ":/sbin/nologin\n"},
		{header: folder("etc/ssl/", 0o755, 0)},
		{header: folder("etc/ssl/certs/", 0o755, 0)},
		{file, certificate[1:], roots()},
		{header: folder("home/", 0o755, 0)},
		{header: folder(home[1:]+"/", 0o755, 65532)},
		{header: folder("tmp/", 0o1777, 0)},
	}
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, e := range entries {
		h := e.header
		if e.name != "" {
			h.Name, h.Size = e.name, int64(len(e.body))
		}
		if err := w.WriteHeader(&h); err != nil {
			return nil, err
		}
		if _, err := io.WriteString(w, e.body); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}

// roots returns the certificates that browsers trust without constraints; a PEM
// file cannot express the constraints of the others.
func roots() string {
	var buf bytes.Buffer
	for root := range bundle.Roots() {
		if root.Constraint == nil {
			buf.Write(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate}))
		}
	}
	return buf.String()
}

type refName = name.Reference

// scratch is the reference of a base image that is not in a registry.
type scratch struct{}

func (scratch) String() string               { return "scratch" }
func (scratch) Name() string                 { return "scratch" }
func (scratch) Identifier() string           { return "" }
func (scratch) Scope(string) string          { return "" }
func (scratch) Context() (r name.Repository) { return r }

// writeLayout creates the folder and writes the image to it.
func writeLayout(img v1.Image, dir string) (port.BuiltImage, error) {
	path, err := layout.Write(dir, empty.Index)
	if err != nil {
		return port.BuiltImage{}, err
	}
	if err := path.AppendImage(img); err != nil {
		return port.BuiltImage{}, err
	}
	m, err := img.Manifest()
	if err != nil {
		return port.BuiltImage{}, err
	}
	size, err := img.Size()
	if err != nil {
		return port.BuiltImage{}, err
	}
	size += m.Config.Size
	for _, l := range m.Layers {
		size += l.Size
	}
	d, err := digest(img)
	return port.BuiltImage{Digest: d, Size: size}, err
}

func digest(img v1.Image) (delivery.Digest, error) {
	d, err := img.Digest()
	return delivery.Digest(d.String()), err
}
