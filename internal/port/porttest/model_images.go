package porttest

import (
	"bytes"
	"encoding/hex"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// ModelImageFixture is what TestModelImagePacker needs: models are stored in it, packed,
// and pulled again.
type ModelImageFixture interface {
	port.ModelImagePacker
	port.ArtifactStore
	port.ImageStore
}

// TestModelImagePacker holds an adapter to port.ModelImagePacker. fresh gives an empty one
// and a repository; its images bring the real program for this machine.
func TestModelImagePacker(t *testing.T, fresh func(t *testing.T) (ModelImageFixture, string)) {
	run := func(name string, test func(t *testing.T, p ModelImageFixture, repository string)) {
		t.Run(name, func(t *testing.T) {
			p, repository := fresh(t)
			test(t, p, repository)
		})
	}
	run("pack and copy", testPackCopy)
	run("same model, same image", testPackTwice)
	run("pack at once", testPackAtOnce)
	run("many files", testPackMany)
	run("refused", testPackRefuses)
	run("tampered", testPackTampered)
}

func stored(t *testing.T, p ModelImageFixture, files map[string]string) delivery.ModelRef {
	t.Helper()
	d, err := p.Store(t.Context(), "price-models", writeTree(t, files), map[string]string{"run": "r1"})
	if err != nil {
		t.Fatal(err)
	}
	return delivery.ModelRef{Group: "price-models", Version: 3, Digest: d}
}

// pulled packs the model and unpacks its image.
func pulled(t *testing.T, p ModelImageFixture, m delivery.ModelRef, repository string) (string, port.ImageConfig) {
	t.Helper()
	img, err := p.Pack(t.Context(), m, repository)
	if err != nil {
		t.Fatal(err)
	}
	if img.Repository != repository || !img.Digest.Valid() {
		t.Fatalf("Pack = %v, want a pinned image in %s", img, repository)
	}
	dir := filepath.Join(t.TempDir(), "image")
	config, err := p.Unpack(t.Context(), img, dir)
	if err != nil {
		t.Fatal(err)
	}
	return dir, config
}

// copied runs the image's program as an init container would.
func copied(t *testing.T, image string, entrypoint []string, digest delivery.Digest, to string) error {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("the image's program is for Linux")
	}
	letIn(t, to, 0o777)
	letIn(t, filepath.Dir(image), 0o755)
	var said bytes.Buffer
	cmd := exec.CommandContext(t.Context(), filepath.Join(image, entrypoint[0]), "-from", filepath.Join(image, "model"), "-to", to)
	cmd.Env = []string{"MODEL_DIGEST=" + string(digest)}
	cmd.Stderr = &said
	err := cmd.Run()
	if err == nil {
		return nil
	}
	if strings.Count(said.String(), "\n") != 1 || !strings.HasPrefix(said.String(), "slipway-model: ") {
		t.Errorf("it said %q, want one line", said.String())
	}
	return errors.New(strings.TrimSpace(said.String()))
}

// letIn opens a folder of t.TempDir, and the one above, to the user that root
// becomes.
func letIn(t *testing.T, dir string, mode os.FileMode) {
	t.Helper()
	if os.Getuid() != 0 {
		return
	}
	if err := errors.Join(os.Chmod(filepath.Dir(dir), 0o755), os.Chmod(dir, mode)); err != nil {
		t.Fatal(err)
	}
}

func testPackCopy(t *testing.T, p ModelImageFixture, repository string) {
	m := stored(t, p, modelTree())
	image, config := pulled(t, p, m, repository)
	if strings.Join(config.Entrypoint, " ") != "/slipway-model" || config.User != "65532:65532" || len(config.Cmd) != 0 {
		t.Errorf("it starts with %q %q as %q", config.Entrypoint, config.Cmd, config.User)
	}
	manifest, err := os.ReadFile(filepath.Join(image, "model", "manifest.json"))
	if got := delivery.DigestOf(manifest); err != nil || got != m.Digest {
		t.Errorf("manifest.json has digest %s, error %v, want the artifact's, %s", got, err, m.Digest)
	}
	want := map[string]string{}
	for name, body := range modelTree() {
		want[name] = "-r--r--r-- " + body
	}
	inImage := map[string]string{"weights": "drwxr-xr-x"}
	for name, body := range want {
		inImage[name] = body
	}
	wantTree(t, filepath.Join(image, "model", "files"), inImage)
	to := t.TempDir()
	for range 2 {
		if err := copied(t, image, config.Entrypoint, m.Digest, to); err != nil {
			t.Fatal(err)
		}
		wantTree(t, to, want)
	}
}

func testPackTwice(t *testing.T, p ModelImageFixture, repository string) {
	m := stored(t, p, modelTree())
	first, err := p.Pack(t.Context(), m, repository)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := p.Pack(t.Context(), m, repository); err != nil || again != first {
		t.Errorf("Pack = %v, %v; before %v", again, err, first)
	}
	elsewhere, err := p.Pack(t.Context(), m, repository+"-2")
	if err != nil || elsewhere.Digest != first.Digest {
		t.Errorf("in another repository: %v, %v; before %v", elsewhere, err, first)
	}
	for _, img := range []delivery.Image{first, elsewhere} {
		if has, err := p.Has(t.Context(), img); err != nil || !has {
			t.Errorf("Has(%v) = %v, %v", img, has, err)
		}
	}
	other, err := p.Pack(t.Context(), stored(t, p, map[string]string{"model.json": "{}"}), repository)
	if err != nil || other.Digest == first.Digest {
		t.Errorf("another model = %v, %v: the same image", other, err)
	}
}

func testPackAtOnce(t *testing.T, p ModelImageFixture, repository string) {
	m := stored(t, p, modelTree())
	got := make([]delivery.Image, 4)
	var wait sync.WaitGroup
	for i := range got {
		wait.Go(func() {
			var err error
			if got[i], err = p.Pack(t.Context(), m, repository); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	for _, img := range got {
		if img != got[0] {
			t.Errorf("images of one model = %v and %v, want the same", img, got[0])
		}
	}
}

func testPackMany(t *testing.T, p ModelImageFixture, repository string) {
	files := map[string]string{"long/" + strings.Repeat("n", 200) + "/ü": "pax"}
	for i := range 150 {
		files["shard-"+hex.EncodeToString([]byte{byte(i)})] = strings.Repeat("s", i*7)
	}
	m := stored(t, p, files)
	image, config := pulled(t, p, m, repository)
	to := t.TempDir()
	if err := copied(t, image, config.Entrypoint, m.Digest, to); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{}
	for name, body := range files {
		want[name] = "-r--r--r-- " + body
	}
	wantTree(t, to, want)
}

func testPackRefuses(t *testing.T, p ModelImageFixture, repository string) {
	good := stored(t, p, modelTree())
	cases := map[string]struct {
		model      delivery.ModelRef
		repository string
		want       fault.Kind
	}{
		"unknown":     {delivery.ModelRef{Group: good.Group, Version: 4, Digest: delivery.DigestOf([]byte("none"))}, repository, fault.NotFound},
		"no digest":   {delivery.ModelRef{Group: good.Group, Version: 3, Digest: "latest"}, repository, fault.Invalid},
		"no group":    {delivery.ModelRef{Version: 3, Digest: good.Digest}, repository, fault.Invalid},
		"bad group":   {delivery.ModelRef{Group: "../x", Version: 3, Digest: good.Digest}, repository, fault.Invalid},
		"a tag":       {good, repository + ":v1", fault.Invalid},
		"no name":     {good, "", fault.Invalid},
		"upper case":  {good, "Mlops/API", fault.Invalid},
		"other group": {delivery.ModelRef{Group: "others", Version: 3, Digest: good.Digest}, repository, fault.NotFound},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if img, err := p.Pack(t.Context(), c.model, c.repository); !fault.Is(err, c.want) {
				t.Errorf("Pack = %v, error = %v, want kind %s", img, err, c.want)
			}
		})
	}
}

func testPackTampered(t *testing.T, p ModelImageFixture, repository string) {
	m := stored(t, p, modelTree())
	image, config := pulled(t, p, m, repository)
	inFiles := func(name string) string { return filepath.Join(image, "model", "files", name) }
	cases := []struct{ name, path, wantErr string }{
		{"manifest", filepath.Join(image, "model", "manifest.json"), "manifest.json is not what the release pins: sha256:"},
		{"file", inFiles("model.json"), "model.json is not what the release pins: sha256:"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			before, err := os.ReadFile(c.path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(c.path, 0o644); err != nil {
				t.Fatal(err)
			}
			writeFile(t, c.path, append([]byte(" "), before[1:]...))
			err = copied(t, image, config.Entrypoint, m.Digest, t.TempDir())
			if err == nil || !strings.Contains(err.Error(), c.wantErr) {
				t.Errorf("error = %v, want one with %q", err, c.wantErr)
			}
			writeFile(t, c.path, before)
		})
	}
}
