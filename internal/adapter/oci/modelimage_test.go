package oci_test

import (
	"encoding/json"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	ggcr "github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/slipway-cd/slipway/internal/adapter/oci"
	"github.com/slipway-cd/slipway/internal/adapter/oci/embedded"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port/porttest"
)

// program builds the one for this machine's architecture, once in a test.
func program(t *testing.T) oci.Programs {
	t.Helper()
	to := filepath.Join(t.TempDir(), "slipway-model")
	build := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-trimpath", "-ldflags=-s -w -buildid=", "-o", to, "../../../cmd/slipway-model")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the program: %v: %s", err, out)
	}
	b, err := os.ReadFile(to)
	if err != nil {
		t.Fatal(err)
	}
	return programs(map[string][]byte{runtime.GOARCH: b})
}

func programs(p map[string][]byte) oci.Programs {
	return func() (map[string][]byte, error) { return p, nil }
}

// twoArchs stand for the real ones where nothing is run.
func twoArchs() oci.Programs {
	return programs(map[string][]byte{"amd64": []byte("one"), "arm64": []byte("two")})
}

func packer(e *embedded.Registry, p oci.Programs) *oci.Registry {
	return oci.New(oci.Config{Embedded: func() (*embedded.Registry, error) { return e, nil }, Programs: p, RetryDelay: time.Millisecond})
}

// another is a registry by other people, and how to look into it.
func another(t *testing.T) string {
	t.Helper()
	srv := httptest.NewServer(ggcr.New(ggcr.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(srv.Close)
	return strings.TrimPrefix(srv.URL, "http://")
}

func TestModelImages_EmbeddedRegistry(t *testing.T) {
	built := program(t)
	porttest.TestModelImagePacker(t, func(t *testing.T) (porttest.ModelImageFixture, string) {
		return packer(openEmbedded(t), built), "mlops/retail-api"
	})
}

func TestModelImages_RemoteRegistry(t *testing.T) {
	built := program(t)
	porttest.TestModelImagePacker(t, func(t *testing.T) (porttest.ModelImageFixture, string) {
		return packer(openEmbedded(t), built), another(t) + "/mlops/retail-api"
	})
}

func model(t *testing.T, r *oci.Registry, content string) delivery.ModelRef {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "model.json"), []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	d, err := r.Store(t.Context(), "team/price-models", dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	return delivery.ModelRef{Group: "team/price-models", Version: 12, Digest: d}
}

func reference(t *testing.T, s string) name.Reference {
	t.Helper()
	ref, err := name.ParseReference(s)
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

// TestPack_Index looks at what lies in the other registry.
func TestPack_Index(t *testing.T) {
	r := packer(openEmbedded(t), twoArchs())
	m := model(t, r, `{"coef":1}`)
	repository := another(t) + "/mlops/api"
	img, err := r.Pack(t.Context(), m, repository)
	if err != nil {
		t.Fatal(err)
	}
	index, err := remote.Index(reference(t, img.String()))
	if err != nil {
		t.Fatal(err)
	}
	im, err := index.IndexManifest()
	if err != nil || im.MediaType != types.OCIImageIndex || len(im.Manifests) != 2 {
		t.Fatalf("index = %+v, %v, want an OCI index of 2 manifests", im, err)
	}
	want := map[string]string{"dev.slipway.model": "team/price-models:12", "dev.slipway.model.digest": string(m.Digest)}
	var shared []v1.Hash
	for i, arch := range []string{"amd64", "arm64"} {
		d := im.Manifests[i]
		child, err := index.Image(d.Digest)
		if err != nil {
			t.Fatal(err)
		}
		cf, err := child.ConfigFile()
		if err != nil || cf.Architecture != arch || cf.OS != "linux" || d.Platform == nil || d.Platform.Architecture != arch || !cf.Created.Equal(time.Unix(0, 0)) {
			t.Errorf("%s: configuration = %+v, %v with platform %v, want linux/%s created at the epoch", arch, cf, err, d.Platform, arch)
		}
		cm, err := child.Manifest()
		if err != nil || len(cm.Layers) != 3 {
			t.Fatalf("%s: %+v, %v; want layers for file, manifest and program", arch, cm, err)
		}
		for key, value := range want {
			if cf.Config.Labels[key] != value || cm.Annotations[key] != value || im.Annotations[key] != value {
				t.Errorf("%s: %s is not %s everywhere", arch, key, value)
			}
		}
		for _, l := range cm.Layers[:2] {
			shared = append(shared, l.Digest)
		}
	}
	if shared[0] != shared[2] || shared[1] != shared[3] {
		t.Errorf("layers of both architectures = %v, want the same two twice", shared)
	}
	tags, err := remote.List(reference(t, img.String()).Context())
	if err != nil || len(tags) != 1 || !strings.HasPrefix(tags[0], "model-team-price-models-v12-"+m.Digest.Short()+"-") {
		t.Errorf("tags = %v, %v, want one with the model's version and digest", tags, err)
	}
}

// TestPack_StableDigest holds the digest itself: the same on every machine, for ever.
func TestPack_StableDigest(t *testing.T) {
	r := packer(openEmbedded(t), twoArchs())
	img, err := r.Pack(t.Context(), model(t, r, "{}"), "a/b")
	if err != nil {
		t.Fatal(err)
	}
	const want = "sha256:6e41cea142cad3e268007141c64a615617f5ab5c9ca1e315bb8348beb0e2e54f"
	if img.Digest != want {
		t.Errorf("digest = %s, want %s", img.Digest, want)
	}
}

// TestPack_SendsOnce counts what a second Pack sends and reads.
func TestPack_SendsOnce(t *testing.T) {
	o := startOrdinary(t)
	login(t, o.host, "s3cret")
	e := openEmbedded(t)
	r := packer(e, twoArchs())
	m := model(t, r, "{}")
	first, err := r.Pack(t.Context(), m, o.host+"/mlops/api")
	if err != nil {
		t.Fatal(err)
	}
	sent := []int{o.count("POST", ""), o.count("PATCH", ""), o.count("PUT", "/manifests/")}
	looked := o.count("HEAD", "/manifests/model-")
	if sent[0] == 0 || sent[1] == 0 || sent[2] != 3 {
		t.Fatalf("the first Pack sent %v, want uploads, chunks and 3 manifests", sent)
	}
	again, err := packer(e, twoArchs()).Pack(t.Context(), m, o.host+"/mlops/api")
	if err != nil || again != first {
		t.Errorf("second Pack = %v, %v, want %v", again, err, first)
	}
	if now := []int{o.count("POST", ""), o.count("PATCH", ""), o.count("PUT", "/manifests/")}; !slices.Equal(now, sent) {
		t.Errorf("requests after the second Pack = %v, want %v", now, sent)
	}
	if n := o.count("HEAD", "/manifests/model-") - looked; n != 1 {
		t.Errorf("the second Pack requested the tag %d times, want once", n)
	}
}

// TestPack_IgnoresPlantedTag puts another image under the tag: it is not taken for ours.
func TestPack_IgnoresPlantedTag(t *testing.T) {
	host := another(t)
	r := packer(openEmbedded(t), twoArchs())
	m := model(t, r, "{}")
	honest, err := r.Pack(t.Context(), m, host+"/honest")
	if err != nil {
		t.Fatal(err)
	}
	tags, err := remote.List(reference(t, honest.String()).Context())
	if err != nil || len(tags) != 1 {
		t.Fatalf("tags = %v, %v, want one", tags, err)
	}
	planted, err := random.Image(100, 1)
	if err != nil {
		t.Fatal(err)
	}
	annotated, _ := mutate.Annotations(planted, map[string]string{"dev.slipway.model": m.String(), "dev.slipway.model.digest": string(m.Digest)}).(v1.Image)
	if err := remote.Write(reference(t, host+"/planted:"+tags[0]), annotated); err != nil {
		t.Fatal(err)
	}
	for name, r := range map[string]*oci.Registry{"noted": r, "anew": packer(openEmbedded(t), twoArchs())} {
		if name == "anew" {
			model(t, r, "{}")
		}
		if img, err := r.Pack(t.Context(), m, host+"/planted"); err != nil || img.Digest != honest.Digest {
			t.Errorf("%s: Pack = %v, %v; want %s", name, img, err, honest.Digest)
		}
	}
}

func TestPack_WithoutPrograms(t *testing.T) {
	r := packer(openEmbedded(t), func() (map[string][]byte, error) { return nil, fault.New(fault.Unavailable, "no programs") })
	if _, err := r.Pack(t.Context(), model(t, r, "{}"), "a/b"); !fault.Is(err, fault.Unavailable) {
		t.Errorf("Pack = %v, want unavailable", err)
	}
}

// TestPack_RecordFormat holds the note's form: a later Slipway has to understand it.
func TestPack_RecordFormat(t *testing.T) {
	e := openEmbedded(t)
	r := packer(e, twoArchs())
	m := model(t, r, "{}")
	img, err := r.Pack(t.Context(), m, "a/b")
	if err != nil {
		t.Fatal(err)
	}
	note := readNote(t, e)
	if note.Image != string(img.Digest) || note.Model["dev.slipway.model.digest"] != string(m.Digest) {
		t.Errorf("note = %+v, want one for image %s of model %s", note, img.Digest, m.Digest)
	}
}

type packedNote struct {
	Image string            `json:"image"`
	Model map[string]string `json:"model"`
}

// readNote reads the only note beside the registry.
func readNote(t *testing.T, e *embedded.Registry) (note packedNote) {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(e.Dir(), "packed", "packed-*.json"))
	if err != nil || len(found) != 1 {
		t.Fatalf("notes = %v, %v, want one", found, err)
	}
	raw, err := os.ReadFile(found[0])
	if err == nil {
		err = json.Unmarshal(raw, &note)
	}
	if err != nil {
		t.Fatal(err)
	}
	return note
}

// TestPack_IgnoresPlantedNote puts a note beside the model that names another image, as
// earlier versions kept it there: whoever can push to that registry can write one.
func TestPack_IgnoresPlantedNote(t *testing.T) {
	host, first, e := another(t), openEmbedded(t), openEmbedded(t)
	m := model(t, packer(first, twoArchs()), "{}")
	honest, err := packer(first, twoArchs()).Pack(t.Context(), m, host+"/honest")
	if err != nil {
		t.Fatal(err)
	}
	tags, err := remote.List(reference(t, honest.String()).Context())
	if err != nil || len(tags) != 1 {
		t.Fatalf("tags = %v, %v, want one", tags, err)
	}
	evil, err := random.Image(100, 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(reference(t, host+"/planted:"+tags[0]), evil); err != nil {
		t.Fatal(err)
	}
	digest, err := evil.Digest()
	if err != nil {
		t.Fatal(err)
	}
	r := packer(e, twoArchs())
	model(t, r, "{}")
	labels := readNote(t, first).Model
	labels["dev.slipway.model.image"] = digest.String()
	plantNote(t, e, "models/team/price-models:packed"+strings.TrimPrefix(tags[0], "model"), labels)
	if img, err := r.Pack(t.Context(), m, host+"/planted"); err != nil || img.Digest != honest.Digest {
		t.Errorf("Pack = %v, %v; want %s rather than the planted %s", img, err, honest.Digest, digest)
	}
}

// plantNote pushes a manifest with annotations only.
func plantNote(t *testing.T, e *embedded.Registry, at string, annotations map[string]string) {
	t.Helper()
	ref, within := reference(t, embedded.Host+"/"+at), remote.WithTransport(e.Transport())
	nothing := static.NewLayer([]byte("{}"), "application/vnd.oci.empty.v1+json")
	if err := remote.WriteLayer(ref.Context(), nothing, within); err != nil {
		t.Fatal(err)
	}
	digest, err := nothing.Digest()
	if err != nil {
		t.Fatal(err)
	}
	part := v1.Descriptor{MediaType: "application/vnd.oci.empty.v1+json", Digest: digest, Size: 2}
	raw, err := json.Marshal(map[string]any{
		"schemaVersion": 2, "mediaType": types.OCIManifestSchema1, "artifactType": "application/vnd.slipway.model.image.v1",
		"config": part, "layers": []v1.Descriptor{part}, "annotations": annotations,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Put(ref, plainManifest(raw), within); err != nil {
		t.Fatal(err)
	}
}

type plainManifest []byte

func (p plainManifest) RawManifest() ([]byte, error)      { return p, nil }
func (plainManifest) MediaType() (types.MediaType, error) { return types.OCIManifestSchema1, nil }
