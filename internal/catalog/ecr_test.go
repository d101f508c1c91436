package catalog_test

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/aws/awstest"
	"github.com/slipway-cd/slipway/internal/adapter/aws/ecr"
	"github.com/slipway-cd/slipway/internal/adapter/aws/session"
	"github.com/slipway-cd/slipway/internal/adapter/oci"
	"github.com/slipway-cd/slipway/internal/adapter/oci/embedded"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest"
)

// newECR starts an AWS with ECR in front of a registry, and returns one that logs in to it.
func newECR(t *testing.T) (*awstest.Lab, *oci.Registry) {
	t.Helper()
	l := awstest.Start(t, awstest.Config{})
	awstest.As(t, l.AddUser("ci"))
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	images, err := embedded.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = images.Close() })
	l.ServeImages(images.Handler())
	logins := ecr.New(session.Options{Client: l.Client, Backoff: func(int) time.Duration { return 0 }}, nil)
	return l, oci.New(oci.Config{Login: logins.Login, Transport: l.Client.Transport, RetryDelay: time.Millisecond})
}

func layout(t *testing.T, content string) port.BuiltImage {
	t.Helper()
	return porttest.WriteLayout(t, t.TempDir(), port.ImageConfig{Cmd: []string{"/app"}}, []porttest.LayerEntry{{Name: "app", Body: content, Mode: 0o755}})
}

// An image goes to ECR and comes back with nothing but credentials of AWS: no docker
// login. Complaint 3 of peers' users: the same tag with the same image is no error, with
// another it is one that names both.
func TestECR_PushAndPull(t *testing.T) {
	cloud, registry := newECR(t)
	cloud.AddRepository(awstest.Repository{Name: "mlops/retail-api"})
	name := cloud.RegistryHost() + "/mlops/retail-api"
	first, second := layout(t, "one"), layout(t, "two")
	push := func(b port.BuiltImage, tag string) (delivery.Image, error) {
		return registry.Push(t.Context(), b.Layout, delivery.Image{Repository: name, Digest: b.Digest}, tag, nil)
	}
	img, err := push(first, "v1")
	if err != nil || img.Digest != first.Digest {
		t.Fatalf("%v, %v", img, err)
	}
	if _, err := push(first, "v1"); err != nil {
		t.Errorf("the same again: %v", err)
	}
	_, err = push(second, "v1")
	if !fault.Is(err, fault.Conflict) || !strings.Contains(fault.HintOf(err), "immutable") {
		t.Errorf("another image under the tag: %v (%s)", err, fault.HintOf(err))
	}
	if found, ok, err := registry.Find(t.Context(), name, "v1"); err != nil || !ok || found.Digest != first.Digest {
		t.Errorf("v1 is %v, %t, %v", found, ok, err)
	}
	if err := registry.Download(t.Context(), img, filepath.Join(t.TempDir(), "layout")); err != nil {
		t.Error(err)
	}
	if n := cloud.Count("ecr", "GetAuthorizationToken"); n != 1 {
		t.Errorf("logged in %d times", n)
	}
	if err := cloud.Invalid(); err != nil {
		t.Error(err)
	}
}

func TestECR_Errors(t *testing.T) {
	cloud, registry := newECR(t)
	built := layout(t, "one")
	_, err := registry.Push(t.Context(), built.Layout, delivery.Image{Repository: cloud.RegistryHost() + "/absent", Digest: built.Digest}, "v1", nil)
	if !fault.Is(err, fault.NotFound) || !strings.Contains(fault.HintOf(err), "create the repository in "+cloud.RegistryHost()) {
		t.Errorf("a repository that does not exist: %v (%s)", err, fault.HintOf(err))
	}
	cloud.AddRepository(awstest.Repository{Name: "api"})
	img, err := registry.Push(t.Context(), built.Layout, delivery.Image{Repository: cloud.RegistryHost() + "/api", Digest: built.Digest}, "v1", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := cloud.ChangeImage("api", string(img.Digest), func(i *awstest.Image) { i.Status = "ARCHIVED" }); err != nil {
		t.Fatal(err)
	}
	if has, err := registry.Has(t.Context(), img); has || err != nil {
		t.Errorf("an archived image: %t, %v, want it to be missing", has, err)
	}
}
