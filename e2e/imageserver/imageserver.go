// Package imageserver serves registries of images, for tests whose cluster pulls from a
// registry on a loopback address: one that has a program as an image, or an empty one.
package imageserver

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Serve serves a registry with an image of the given name that contains nothing but
// the program, as its entrypoint. It prints the image's reference to stdout, and
// returns when until ends; if until is nil, it serves until the process is killed.
func Serve(imageName, program string, until io.Reader) error {
	img, err := image(program)
	if err != nil {
		return err
	}
	return serveImage(imageName, img, until)
}

// serveImage serves a registry with one image.
func serveImage(imageName string, img v1.Image, until io.Reader) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("serve a registry: %w", err)
	}
	server := http.Server{Handler: registry.New(registry.Logger(log.New(io.Discard, "", 0))), ReadHeaderTimeout: 10 * time.Second}
	if until != nil {
		go func() {
			_, _ = io.Copy(io.Discard, until)
			server.Close()
		}()
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(l) }()
	reference, err := push(fmt.Sprintf("%s/%s", l.Addr(), imageName), img)
	if err != nil {
		return fmt.Errorf("push image %s: %w", imageName, err)
	}
	fmt.Println(reference)
	return <-failed
}

// ServeRegistry serves an empty registry that anyone may write to, until the process is
// killed. It keeps everything in memory. It prints its address to stdout once it listens.
func ServeRegistry(address string) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("serve a registry: %w", err)
	}
	fmt.Println(l.Addr())
	handler := registry.New(registry.Logger(log.New(io.Discard, "", 0)), registry.WithReferrersSupport(true))
	server := http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	return server.Serve(l)
}

// push pushes the image, and returns its reference by digest.
func push(repository string, img v1.Image) (name.Reference, error) {
	digest, err := img.Digest()
	if err != nil {
		return nil, err
	}
	ref, err := name.NewDigest(repository + "@" + digest.String())
	if err != nil {
		return nil, err
	}
	return ref, remote.Write(ref, img)
}

func image(program string) (v1.Image, error) {
	content, err := os.ReadFile(program)
	if err != nil {
		return nil, err
	}
	var layer bytes.Buffer
	w := tar.NewWriter(&layer)
	if err := w.WriteHeader(&tar.Header{Name: "program", Mode: 0o755, Size: int64(len(content))}); err != nil {
		return nil, err
	}
	if _, err := w.Write(content); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	img, err := mutate.AppendLayers(empty.Image, static.NewLayer(layer.Bytes(), types.DockerUncompressedLayer))
	if err != nil {
		return nil, err
	}
	return mutate.Config(img, v1.Config{Entrypoint: []string{"/program"}, User: "65532:65532"})
}
