//go:build e2e

package buildkit_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/moby/buildkit/client"

	"github.com/slipway-cd/slipway/e2e/builder"
	"github.com/slipway-cd/slipway/internal/adapter/buildkit"
	"github.com/slipway-cd/slipway/internal/adapter/oci"
	"github.com/slipway-cd/slipway/internal/adapter/oci/embedded"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest"
)

// fixture is a BuildKit that Slipway started, a registry on loopback that stands in
// for docker.io, and a base image there under the name shell:1.
type fixture struct {
	dir      string // state of BuildKit
	registry string // host and port
	images   *oci.Registry
	env      map[string]string
	shell    []byte // the program /bin/sh
	base     string // digest of the base's layer
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	tools := builder.Require(t)
	registry, err := embedded.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(registry.Handler()) // that of `slipway registry` is read-only
	t.Cleanup(func() { server.Close(); _ = registry.Close() })
	f := &fixture{dir: filepath.Join(t.TempDir(), "buildkit"), registry: server.Listener.Addr().String()}
	f.images = oci.New(oci.Config{Embedded: func() (*embedded.Registry, error) { return registry, nil }, Address: f.registry})
	f.env = map[string]string{
		buildkit.ProgramVariable: tools.Daemon,
		buildkit.MirrorsVariable: "docker.io=http://" + f.registry,
		"DOCKER_HOST":            "unix://" + filepath.Join(f.dir, "no-docker.sock"),
	}
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	t.Cleanup(func() {
		if err := f.builder().Stop(context.Background()); err != nil {
			t.Errorf("stop: %v", err)
		}
	})
	f.pushShell(t)
	return f
}

func (f *fixture) builder() *buildkit.Builder {
	return buildkit.New(buildkit.Config{Dir: f.dir, Getenv: func(key string) string { return f.env[key] }})
}

// pushShell builds the base image and pushes it as docker.io/library/shell:1.
func (f *fixture) pushShell(t *testing.T) {
	t.Helper()
	program := filepath.Join(t.TempDir(), "sh")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", program, "./testdata/tool")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build the shell: %v: %s", err, out)
	}
	var err error
	if f.shell, err = os.ReadFile(program); err != nil {
		t.Fatal(err)
	}
	o := porttest.DockerProject(t, map[string]string{"Dockerfile": "FROM scratch\nCOPY --chmod=755 sh /bin/sh\n", "sh": string(f.shell)})
	built := f.build(t, o, io.Discard)
	f.base = layers(t, built)[0]
	if _, err := f.images.Push(t.Context(), built.Layout, delivery.Image{Repository: "library/shell", Digest: built.Digest}, "1", nil); err != nil {
		t.Fatal(err)
	}
}

func (f *fixture) build(t *testing.T, o port.BuildRequest, log io.Writer) port.BuiltImage {
	t.Helper()
	var kept bytes.Buffer
	built, err := f.builder().Build(t.Context(), o, io.MultiWriter(&kept, log))
	if err != nil {
		t.Fatalf("build: %v\n%s", err, kept.String())
	}
	return built
}

// prune empties the builder's cache.
func (f *fixture) prune(t *testing.T) {
	t.Helper()
	c, err := client.New(t.Context(), "unix://"+filepath.Join(f.dir, "run", "buildkitd.sock"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Prune(t.Context(), nil, client.PruneAll); err != nil {
		t.Fatal(err)
	}
}

// project is a checkout with a Dockerfile.
func project(t *testing.T, dockerfile string, files ...string) port.BuildRequest {
	t.Helper()
	all := map[string]string{"Dockerfile": dockerfile}
	for i := 0; i < len(files); i += 2 {
		all[files[i]] = files[i+1]
	}
	return porttest.DockerProject(t, all)
}

// image opens the one image of a layout.
func image(t *testing.T, built port.BuiltImage) v1.Image {
	t.Helper()
	path, err := layout.FromPath(built.Layout)
	if err != nil {
		t.Fatal(err)
	}
	h, err := v1.NewHash(string(built.Digest))
	if err != nil {
		t.Fatal(err)
	}
	img, err := path.Image(h)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// contents are the files of all layers below a layout's folder, and every byte
// of every blob.
func contents(t *testing.T, dir string) (files map[string]string, everything string) {
	t.Helper()
	files = map[string]string{}
	var all strings.Builder
	blobs, err := filepath.Glob(filepath.Join(dir, "blobs", "sha256", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, blob := range blobs {
		raw, err := os.ReadFile(blob)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(raw)
		z, err := gzip.NewReader(bytes.NewReader(raw))
		if err != nil {
			continue
		}
		for r := tar.NewReader(z); ; {
			h, err := r.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			files[h.Name] = string(body)
			all.WriteString(h.Name + "\n")
			all.Write(body)
		}
	}
	return files, all.String()
}
