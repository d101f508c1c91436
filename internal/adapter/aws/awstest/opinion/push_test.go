package opinion_test

import (
	"fmt"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/adapter/aws/awstest"
	"github.com/slipway-cd/slipway/internal/adapter/aws/awstest/opinion"
	"github.com/slipway-cd/slipway/internal/adapter/aws/ecr"
	"github.com/slipway-cd/slipway/internal/adapter/oci"
	"github.com/slipway-cd/slipway/internal/adapter/oci/embedded"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest"
)

// TestAWS_Push pushes images to ECR and reads them back, as Slipway does: to the AWS of
// the tests, with our own registry as its data plane, and to ministack's ECR.
func TestAWS_Push(t *testing.T) {
	e := opinion.StartMinistack(t, python(t))
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	var ours, theirs map[string]string
	var names *awstest.Cloud
	t.Run("the AWS of the tests", func(t *testing.T) {
		w := newFake(t, newIssuer(t))
		images, err := embedded.Open(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = images.Close() })
		w.fake.ServeImages(images.Handler())
		names, ours = w.fake.Cloud, pushes(t, w, w.fake.Client.Transport)
	})
	t.Run("ministack", func(t *testing.T) {
		e.Await(t)
		theirs = pushes(t, newWorld(t, e, names, newIssuer(t)), redirect{e})
	})
	if diff := cmp.Diff(ours, theirs); diff != "" || ours["an image"] != "ok" {
		t.Errorf("ministack's ECR differs, find out who is right (-ours +theirs):\n%s", diff)
	}
	t.Logf("awstable: second opinion: %d outcomes of pushes and pulls are those of ministack's ECR", len(ours))
}

// redirect sends requests to registries to the emulator, with the names that they have.
type redirect struct{ e *opinion.Emulator }

// RoundTrip implements http.RoundTripper.
func (r redirect) RoundTrip(req *http.Request) (*http.Response, error) {
	asked := req.Clone(req.Context())
	asked.Host, asked.URL.Scheme, asked.URL.Host = req.URL.Host, r.e.URL.Scheme, r.e.URL.Host
	res, err := http.DefaultTransport.RoundTrip(asked)
	if err == nil {
		res.Request = req
	}
	return res, err
}

// pushes returns the outcomes by what was done.
func pushes(t *testing.T, w *world, transport http.RoundTripper) map[string]string {
	t.Helper()
	registry := oci.New(oci.Config{
		Login: ecr.New(w.options(), nil, nil).Login, Control: ecr.NewRegistries(w.options(), nil), Transport: transport, RetryDelay: time.Millisecond,
	})
	first, second := builtImage(t, "one"), builtImage(t, "two")
	push := func(path string, b port.BuiltImage, tag string) string {
		img, err := registry.Push(t.Context(), b.Layout, delivery.Image{Repository: w.host() + "/" + path, Digest: b.Digest}, tag, nil)
		if err == nil && img.Digest != b.Digest {
			return "another digest"
		}
		return kindOf(t, err)
	}
	docker, err := registry.ToDocker(t.Context(), builtImage(t, "three"))
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{
		"an image without a tag":            push(repository, first, ""),
		"an image":                          push(repository, first, "v1"),
		"the same again":                    push(repository, first, "v1"),
		"another image under the tag":       push(repository, second, "v1"),
		"an image of Docker's format":       push(repository, docker, "v2"),
		"a repository that does not exist":  push("mlops/absent", first, "v1"),
		"what the control plane has of it":  kindOf(t, ecr.NewRegistries(w.options(), nil).CheckImage(t.Context(), w.host(), repository, first.Digest)),
		"what the control plane has not":    kindOf(t, ecr.NewRegistries(w.options(), nil).CheckImage(t.Context(), w.host(), repository, second.Digest)),
		"downloading it":                    kindOf(t, registry.Download(t.Context(), delivery.Image{Repository: w.host() + "/" + repository, Digest: first.Digest}, filepath.Join(t.TempDir(), "layout"))),
		"what an image is referred to from": kindOf(t, registry.AttachRevision(t.Context(), delivery.Image{Repository: w.host() + "/" + repository, Digest: first.Digest}, delivery.Commit{SHA: fmt.Sprintf("%040d", 1)})),
	}
	found, ok, err := registry.Find(t.Context(), w.host()+"/"+repository, "v1")
	all["what the tag names"] = fmt.Sprintf("%s, found %t, the first %t", kindOf(t, err), ok, found.Digest == first.Digest)
	return all
}

func builtImage(t *testing.T, content string) port.BuiltImage {
	t.Helper()
	return porttest.WriteLayout(t, t.TempDir(), port.ImageConfig{Cmd: []string{"/app"}}, []porttest.LayerEntry{{Name: "app", Body: content, Mode: 0o755}})
}

// kindOf is the kind of an error, or "ok".
func kindOf(t *testing.T, err error) string {
	t.Helper()
	if err == nil {
		return "ok"
	}
	t.Logf("error = %v", err)
	return fmt.Sprint(fault.KindOf(err))
}
