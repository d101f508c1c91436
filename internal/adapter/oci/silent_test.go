package oci_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/aws/objects"
	"github.com/slipway-cd/slipway/internal/adapter/oci"
	"github.com/slipway-cd/slipway/internal/adapter/oci/embedded"
	"github.com/slipway-cd/slipway/internal/adapter/silenttest"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest"
	"github.com/slipway-cd/slipway/internal/record/blobs"
)

// TestRegistry_SilentServer: images in a registry that fails to answer.
func TestRegistry_SilentServer(t *testing.T) {
	built := porttest.WriteLayout(t, t.TempDir(), port.ImageConfig{}, []porttest.LayerEntry{{Name: "a"}})
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	silenttest.TestHTTP(t, func(t *testing.T, at string) silenttest.Calls {
		_, host, _ := strings.Cut(at, "://")
		return imageCalls(t, oci.New(oci.Config{RetryDelay: time.Millisecond}), host, built)
	})
}

// imageCalls are those of a registry at host.
func imageCalls(t *testing.T, r *oci.Registry, host string, built port.BuiltImage) silenttest.Calls {
	img := delivery.Image{Repository: host + "/mlops/api", Digest: built.Digest}
	subject := port.Subject{Image: img}
	dir := t.TempDir()
	return silenttest.Calls{
		"Registry.Push": func(ctx context.Context) error {
			_, err := r.Push(ctx, built.Layout, img, "v1", nil)
			return err
		},
		"Registry.Has":       func(ctx context.Context) error { _, err := r.Has(ctx, img); return err },
		"Registry.CheckPull": func(ctx context.Context) error { return silenttest.MaySucceed(r.CheckPull(ctx, img)) },
		"Registry.Find":      func(ctx context.Context) error { _, _, err := r.Find(ctx, img.Repository, "v1"); return err },
		"Registry.Tag":       func(ctx context.Context) error { return r.Tag(ctx, img, "v2") },
		"Registry.Download": func(ctx context.Context) error {
			return r.Download(ctx, img, filepath.Join(newFolder(t, dir), "layout"))
		},
		"Registry.Unpack": func(ctx context.Context) error {
			_, err := r.Unpack(ctx, img, filepath.Join(newFolder(t, dir), "rootfs"))
			return err
		},
		"Registry.AttachRevision": func(ctx context.Context) error {
			return r.AttachRevision(ctx, img, delivery.Commit{SHA: strings.Repeat("0", 40)})
		},
		"Registry.Attach":      func(ctx context.Context) error { _, err := r.Attach(ctx, subject, "x", []byte("{}")); return err },
		"Registry.Attachments": func(ctx context.Context) error { _, err := r.Attachments(ctx, subject); return err },
		"Registry.Bundle": func(ctx context.Context) error {
			_, err := r.Bundle(ctx, subject, port.Attachment{Digest: built.Digest})
			return err
		},
	}
}

// newFolder returns a folder for one call: two of one folder wait for each other.
func newFolder(t *testing.T, dir string) string {
	t.Helper()
	made, err := os.MkdirTemp(dir, "")
	if err != nil {
		t.Error(err)
	}
	return made
}

// TestModels_SilentServer: models in the embedded registry, which other machines share
// through a bucket that fails to answer.
func TestModels_SilentServer(t *testing.T) {
	e := openEmbedded(t)
	stored := model(t, registryIn(e), "weights")
	elsewhere := stored
	elsewhere.Digest = delivery.DigestOf([]byte("elsewhere"))
	files := t.TempDir()
	if err := os.WriteFile(filepath.Join(files, "model.json"), []byte("others"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	t.Setenv("AWS_ACCESS_KEY_ID", "test")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "test")
	silenttest.TestHTTP(t, func(t *testing.T, at string) silenttest.Calls {
		bucket, err := objects.Open(t.Context(), &url.URL{
			Scheme: "s3", Host: "state", RawQuery: "region=us-east-1&use_path_style=true&endpoint=" + url.QueryEscape(at),
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = bucket.Close() })
		r := oci.New(oci.Config{
			Embedded: func() (*embedded.Registry, error) { return e, nil },
			Blobs:    &blobs.Store{Objects: bucket}, Programs: twoArchs(), RetryDelay: time.Millisecond,
		})
		_, host, _ := strings.Cut(at, "://")
		dir := t.TempDir()
		return silenttest.Calls{
			"Registry.Pack":  func(ctx context.Context) error { _, err := r.Pack(ctx, stored, host+"/mlops/model"); return err },
			"Registry.Share": func(ctx context.Context) error { return r.Share(ctx, stored) },
			"Registry.Store": func(ctx context.Context) error { _, err := r.Store(ctx, "team/price-models", files, nil); return err },
			"Registry.Fetch": func(ctx context.Context) error {
				return r.Fetch(ctx, elsewhere, filepath.Join(newFolder(t, dir), "model"))
			},
		}
	})
}

// TestRegistry_SilentInContent: a registry whose manifests come, and whose blobs don't.
func TestRegistry_SilentInContent(t *testing.T) {
	built := porttest.WriteLayout(t, t.TempDir(), port.ImageConfig{}, []porttest.LayerEntry{{Name: "a"}})
	addr := serveOpenly(t, openEmbedded(t))
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	stored := delivery.Image{Repository: addr + "/mlops/api", Digest: built.Digest}
	if _, err := oci.New(oci.Config{}).Push(t.Context(), built.Layout, stored, "v1", nil); err != nil {
		t.Fatal(err)
	}
	healthy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: addr})
	for name, body := range map[string]string{"before the answer": "", "in the body": "{"} {
		t.Run("silent "+name, func(t *testing.T) {
			ended := make(chan struct{})
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if !strings.Contains(r.URL.Path, "/blobs/") {
					healthy.ServeHTTP(w, r)
					return
				}
				if body != "" {
					w.Header().Set("Content-Length", "1000")
					_, _ = io.WriteString(w, body)
					_ = http.NewResponseController(w).Flush()
				}
				<-ended // the request's context does not end while it has a body
			}))
			t.Cleanup(server.Close)
			t.Cleanup(func() { close(ended) })
			calls := imageCalls(t, oci.New(oci.Config{RetryDelay: time.Millisecond}), strings.TrimPrefix(server.URL, "http://"), built)
			for call, do := range calls { // some need no blob
				calls[call] = func(ctx context.Context) error { return silenttest.MaySucceed(do(ctx)) }
			}
			silenttest.Check(t, calls)
		})
	}
}

func TestRegistry_SilentServerThenHealthy(t *testing.T) {
	o := startOrdinary(t)
	gate := silenttest.NewGate(t, "tcp", o.host)
	login(t, gate.Address, "s3cret")
	built := porttest.WriteLayout(t, t.TempDir(), port.ImageConfig{}, []porttest.LayerEntry{{Name: "a"}})
	r := oci.New(oci.Config{RetryDelay: time.Millisecond})
	img := delivery.Image{Repository: gate.Address + "/mlops/api", Digest: built.Digest}
	gate.CheckHealthy(t, func(ctx context.Context) error { _, err := r.Push(ctx, built.Layout, img, "v1", nil); return err })
}
