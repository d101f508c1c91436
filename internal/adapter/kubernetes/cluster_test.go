//go:build e2e

package kubernetes_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/e2e/cluster"
	"github.com/slipway-cd/slipway/e2e/imageserver"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port/porttest"
)

// sampleVariable holds the sample's path, and makes the test's own program a
// registry that has it as an image.
const sampleVariable = "SLIPWAY_TEST_REGISTRY_SAMPLE"

func TestMain(m *testing.M) {
	if sample := os.Getenv(sampleVariable); sample != "" {
		fmt.Fprintln(os.Stderr, "registry:", imageserver.Serve("sample", sample, os.Stdin))
		os.Exit(1)
	}
	code := m.Run()
	if err := sharedCluster.stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
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
