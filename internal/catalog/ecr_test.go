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
	logins := ecr.New(session.Options{Client: l.Client, Backoff: func(int) time.Duration { return 0 }}, nil, nil)
	control := ecr.NewRegistries(session.Options{Client: l.Client, Backoff: func(int) time.Duration { return 0 }}, nil)
	return l, oci.New(oci.Config{Login: logins.Login, Control: control, Transport: l.Client.Transport, RetryDelay: time.Millisecond})
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
	if !fault.Is(err, fault.Conflict) || !strings.Contains(fault.HintOf(err), "immutable") || !strings.Contains(err.Error(), string(first.Digest)) || !strings.Contains(err.Error(), string(second.Digest)) {
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

// Complaint 2: services that read no OCI manifests get one of Docker's, for linux/amd64.
func TestECR_Complaint2_DockerFormat(t *testing.T) {
	cloud, registry := newECR(t)
	cloud.AddRepository(awstest.Repository{Name: "mlops/retail-api"})
	built, err := registry.ToDocker(t.Context(), layout(t, "one"))
	if err != nil {
		t.Fatal(err)
	}
	img, err := registry.Push(t.Context(), built.Layout, delivery.Image{Repository: cloud.RegistryHost() + "/mlops/retail-api", Digest: built.Digest}, "v1", nil)
	if err != nil || img.Digest != built.Digest {
		t.Fatalf("%v, %v", img, err)
	}
	found, ok := cloud.Image("mlops/retail-api", string(img.Digest))
	if !ok || found.MediaType != "application/vnd.docker.distribution.manifest.v2+json" {
		t.Errorf("ECR has %+v", found)
	}
	config, err := registry.Unpack(t.Context(), img, filepath.Join(t.TempDir(), "rootfs"))
	if err != nil || len(config.Cmd) != 1 {
		t.Errorf("%+v, %v", config, err)
	}
}

// Complaint 4: whether the image that a failure returns to can still be pulled.
func TestECR_Complaint4_CheckPull(t *testing.T) {
	cloud, registry := newECR(t)
	cloud.AddRepository(awstest.Repository{Name: "api"})
	built := layout(t, "one")
	img, err := registry.Push(t.Context(), built.Layout, delivery.Image{Repository: cloud.RegistryHost() + "/api", Digest: built.Digest}, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	if found, ok := cloud.Image("api", string(img.Digest)); !ok || len(found.Tags) > 0 {
		t.Errorf("pushed as %+v, want no tag", found)
	}
	for _, tt := range []struct {
		status string
		kind   fault.Kind
		hint   string
	}{
		{"ACTIVE", "", ""},
		{"ARCHIVED", fault.Conflict, "UpdateImageStorageClass); it takes up to 20 minutes"},
		{"ACTIVATING", fault.Unavailable, "up to 20 minutes"},
	} {
		if err := cloud.ChangeImage("api", string(img.Digest), func(i *awstest.Image) { i.Status = tt.status }); err != nil {
			t.Fatal(err)
		}
		err := registry.CheckPull(t.Context(), img)
		if tt.kind == "" && err != nil || tt.kind != "" && (!fault.Is(err, tt.kind) || !strings.Contains(fault.HintOf(err), tt.hint)) {
			t.Errorf("%s: %v (%s)", tt.status, err, fault.HintOf(err))
		}
	}
	img.Digest = delivery.DigestOf([]byte("deleted"))
	if err := registry.CheckPull(t.Context(), img); !fault.Is(err, fault.NotFound) || !strings.Contains(fault.HintOf(err), "lifecycle rule") {
		t.Errorf("deleted: %v (%s)", err, fault.HintOf(err))
	}
	if err := cloud.Invalid(); err != nil {
		t.Error(err)
	}
}

// A push makes no repository by the way, where the account has a template for that.
func TestECR_CreateOnPush(t *testing.T) {
	cloud, registry := newECR(t)
	cloud.CreateOnPush(awstest.Repository{Mutability: "MUTABLE"})
	name := cloud.RegistryHost() + "/mlops/retail-api"
	if _, err := registry.CheckRepository(t.Context(), name, false); !fault.Is(err, fault.NotFound) {
		t.Errorf("%v", err)
	}
	if drift, err := registry.CheckRepository(t.Context(), name, true); err != nil || len(drift) > 0 {
		t.Errorf("%q, %v", drift, err)
	}
	if drift, err := registry.CheckRepository(t.Context(), name, false); err != nil || len(drift) > 0 {
		t.Errorf("%q, %v", drift, err)
	}
	for _, elsewhere := range []string{"mlops/retail-api", "registry.example.com/mlops/retail-api"} {
		if drift, err := registry.CheckRepository(t.Context(), elsewhere, false); err != nil || len(drift) > 0 {
			t.Errorf("%s: %q, %v", elsewhere, drift, err)
		}
	}
}
