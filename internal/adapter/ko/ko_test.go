package ko_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/layout"

	"github.com/slipway-cd/slipway/internal/adapter/ko"
	"github.com/slipway-cd/slipway/internal/ocilayout"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest"
)

func TestBuilder_Conformance(t *testing.T) {
	if testing.Short() {
		t.Skip("builds Go programs")
	}
	porttest.TestBuilder(t, func(*testing.T) port.Builder { return ko.New(ko.Config{}) })
}

func TestVersion_MatchesModule(t *testing.T) {
	mod, err := os.ReadFile("../../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(mod), "github.com/google/ko v"+ko.Version+"\n") {
		t.Errorf("go.mod has another ko than %s: the cache would keep images of the old one", ko.Version)
	}
}

// TestBuild_ImageConfig checks the metadata of the image.
func TestBuild_ImageConfig(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a Go program")
	}
	o := porttest.GoProject(t, map[string]string{"cmd/api/main.go": porttest.Hello})
	var log bytes.Buffer
	built, err := ko.New(ko.Config{}).Build(t.Context(), o, &log)
	if err != nil {
		t.Fatal(err)
	}
	path, err := layout.FromPath(built.Layout)
	if err != nil {
		t.Fatal(err)
	}
	index, err := path.ImageIndex()
	if err != nil {
		t.Fatal(err)
	}
	top, err := index.IndexManifest()
	if err != nil || len(top.Manifests) != 1 {
		t.Fatalf("index = %v, %v", top, err)
	}
	img, err := index.Image(top.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	m, err := img.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	c, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{
		"org.opencontainers.image.title":    o.Service,
		"org.opencontainers.image.revision": "",
		"org.opencontainers.image.source":   "",
		"org.opencontainers.image.created":  "",
	} {
		if m.Annotations[key] != want || c.Config.Labels[key] != want {
			t.Errorf("%s = %q (annotation), %q (label), want %q", key, m.Annotations[key], c.Config.Labels[key], want)
		}
	}
	if c.Config.User != "65532:65532" || len(c.Config.Entrypoint) != 1 || c.Config.Entrypoint[0] != "/ko-app/api" {
		t.Errorf("user %q, entrypoint %q; want 65532:65532, /ko-app/api", c.Config.User, c.Config.Entrypoint)
	}
	if want := ocilayout.CreationTime(); !c.Created.Equal(want) {
		t.Errorf("created %v, want %v", c.Created, want)
	}
	if strings.Contains(log.String(), filepath.Dir(o.Dir)) {
		t.Logf("log: %s", log.String())
	}
}
