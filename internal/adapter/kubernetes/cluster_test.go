//go:build e2e

package kubernetes_test

import (
	"archive/tar"
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/slipway-cd/slipway/e2e/cluster"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port/porttest"
)

// sampleVariable holds the sample's path, and makes the test's own program a
// registry that has it as an image.
const sampleVariable = "SLIPWAY_TEST_REGISTRY_SAMPLE"

func TestMain(m *testing.M) {
	if sample := os.Getenv(sampleVariable); sample != "" {
		fmt.Fprintln(os.Stderr, "registry:", serveSample(sample))
		os.Exit(1)
	}
	code := m.Run()
	if err := sharedCluster.stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// serveSample serves a registry until its stdin is closed, and prints the
// image's reference.
func serveSample(sample string) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := http.Server{Handler: registry.New(registry.Logger(log.New(io.Discard, "", 0))), ReadHeaderTimeout: 10 * time.Second}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		server.Close()
	}()
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(l) }()
	img, err := sampleImage(sample)
	if err != nil {
		return err
	}
	digest, err := img.Digest()
	if err != nil {
		return err
	}
	ref, err := name.NewDigest(fmt.Sprintf("%s/sample@%s", l.Addr(), digest))
	if err != nil {
		return err
	}
	if err := remote.Write(ref, img); err != nil {
		return err
	}
	fmt.Println(ref)
	return <-failed
}

// sampleImage returns an image with nothing but the program.
func sampleImage(sample string) (v1.Image, error) {
	content, err := os.ReadFile(sample)
	if err != nil {
		return nil, err
	}
	var layer bytes.Buffer
	w := tar.NewWriter(&layer)
	if err := w.WriteHeader(&tar.Header{Name: "sample", Mode: 0o755, Size: int64(len(content))}); err != nil {
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
	return mutate.Config(img, v1.Config{Entrypoint: []string{"/sample"}, User: "65532:65532"})
}

// testCluster is a cluster, and a registry in its network.
type testCluster struct {
	once     sync.Once
	err      error
	cluster  *cluster.Cluster
	registry *exec.Cmd
	stdin    io.Closer // the registry lives until this is closed
	image    delivery.Image
	address  string // of the registry, for the nodes
}

var sharedCluster testCluster

func (h *testCluster) open(t *testing.T) {
	t.Helper()
	h.once.Do(func() { h.err = h.start(t) })
	if errors.Is(h.err, cluster.ErrUnsupported) {
		t.Skipf("no cluster here (KUBECONFIG would name one): %v", h.err)
	}
	if h.err != nil {
		t.Fatal(h.err)
	}
}

func (h *testCluster) start(t *testing.T) (err error) {
	if path := os.Getenv("KUBECONFIG"); path != "" {
		h.cluster = cluster.Existing(path)
	} else {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Minute) // it may have to be built
		defer cancel()
		if h.cluster, err = cluster.Start(ctx, cluster.Config{Log: os.Stderr}); err != nil {
			return err
		}
	}
	h.registry = h.cluster.Command(os.Args[0])
	h.registry.Env = append(os.Environ(), sampleVariable+"="+porttest.BuildSample(t))
	h.registry.Stderr = os.Stderr
	if h.stdin, err = h.registry.StdinPipe(); err != nil {
		return err
	}
	out, err := h.registry.StdoutPipe()
	if err != nil {
		return err
	}
	if err := h.registry.Start(); err != nil {
		return err
	}
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		return errors.New("the registry printed no address")
	}
	repository, digest, _ := strings.Cut(lines.Text(), "@")
	h.address, h.image.Repository, _ = strings.Cut(repository, "/")
	h.image.Digest = delivery.Digest(digest)
	return nil
}

func (h *testCluster) stop() error {
	if h.stdin != nil {
		h.stdin.Close()
		_ = h.registry.Wait() // it ends with an error: its stdin is closed
	}
	if h.cluster == nil {
		return nil
	}
	return h.cluster.Stop()
}
