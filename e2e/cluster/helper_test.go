//go:build e2e && linux

package cluster

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// helperEnv is the variable that makes the test's own program something else.
const helperEnv = "SLIPWAY_CLUSTER_HELPER"

func TestMain(m *testing.M) {
	var err error
	switch os.Getenv(helperEnv) {
	case "registry":
		err = serveRegistry(os.Args[1])
	case "cluster":
		err = runUntilKilled()
	default:
		os.Exit(m.Run())
	}
	fmt.Fprintln(os.Stderr, "helper:", err)
	os.Exit(1)
}

// runUntilKilled starts a cluster and something beside it, and waits to be killed.
func runUntilKilled() error {
	c, err := Start(context.Background(), Config{})
	if err != nil {
		return err
	}
	if err := c.Command("sleep", "600").Start(); err != nil {
		return err
	}
	fmt.Println("ready")
	select {}
}

// serveRegistry serves a registry with the program as an image, and prints its name.
func serveRegistry(program string) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	failed := make(chan error, 1)
	go func() {
		failed <- http.Serve(l, registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	}()
	content, err := os.ReadFile(program)
	if err != nil {
		return err
	}
	var layer bytes.Buffer
	w := tar.NewWriter(&layer)
	if err := w.WriteHeader(&tar.Header{Name: "hello", Mode: 0o755, Size: int64(len(content))}); err != nil {
		return err
	}
	if _, err := w.Write(content); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	img, err := mutate.AppendLayers(empty.Image, static.NewLayer(layer.Bytes(), types.DockerUncompressedLayer))
	if err != nil {
		return err
	}
	if img, err = mutate.Config(img, v1.Config{Entrypoint: []string{"/hello"}}); err != nil {
		return err
	}
	digest, err := img.Digest()
	if err != nil {
		return err
	}
	ref, err := name.NewDigest(fmt.Sprintf("%s/hello@%s", l.Addr(), digest))
	if err != nil {
		return err
	}
	if err := remote.Write(ref, img); err != nil {
		return err
	}
	fmt.Println(ref)
	return <-failed
}
