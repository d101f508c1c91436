package porttest

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/ocilayout"
	"github.com/slipway-cd/slipway/internal/port"
)

// Hello is a program that builds in no time.
const Hello = "package main\n\nfunc main() { println(\"hello\") }\n"

// GoProject writes a Go module with the files and orders an image of ./cmd/api.
func GoProject(t testing.TB, files map[string]string) port.BuildRequest {
	t.Helper()
	dir := t.TempDir()
	if _, ok := files["go.mod"]; !ok {
		writeFile(t, filepath.Join(dir, "go.mod"), []byte("module example.com/api\n\ngo 1.24\n"))
	}
	for name, body := range files {
		writeFile(t, filepath.Join(dir, filepath.FromSlash(name)), []byte(body))
	}
	return port.BuildRequest{
		Dir: dir, Go: "./cmd/api", Service: "retail-api", Repository: "mlops/retail-api", Layout: filepath.Join(t.TempDir(), "layout"),
	}
}

// TestBuilder holds an adapter to port.Builder, for Go programs.
func TestBuilder(t *testing.T, fresh func(t *testing.T) port.Builder) {
	hello := func(t *testing.T) port.BuildRequest {
		t.Helper()
		return GoProject(t, map[string]string{"cmd/api/main.go": Hello, "cmd/api/kodata/a.txt": "data"})
	}
	disturb := func(t *testing.T, _ port.BuildRequest) {
		t.Setenv("GOFLAGS", "-tags=other")
		t.Setenv("GOAMD64", "v3")
		t.Setenv("GOOS", "darwin")
	}
	inside := []string{"ko-app/api", "etc/passwd", "etc/ssl/certs/ca-certificates.crt", "tmp/", "var/run/ko/a.txt"}
	t.Run("reproducible", func(t *testing.T) { testReproducible(t, fresh, hello, disturb, "cmd/api/kodata/a.txt") })
	t.Run("whole layout", func(t *testing.T) { testWholeLayout(t, fresh(t), hello(t), inside) })
	t.Run("compile error", func(t *testing.T) { testCompileError(t, fresh(t)) })
	t.Run("bad orders", func(t *testing.T) { testBadOrders(t, fresh(t)) })
	t.Run("cancelled", func(t *testing.T) { testBuildCancelled(t, fresh(t), hello(t)) })
	t.Run("fingerprint", func(t *testing.T) { testFingerprint(t, fresh(t), "go1.") })
}

// testReproducible builds the same files twice, in different folders, one of them
// a git repository with a change and one more document, and the user's settings
// different. What goes into the image makes another digest, and nothing else.
func testReproducible(t *testing.T, fresh func(t *testing.T) port.Builder, project func(t *testing.T) port.BuildRequest, disturb func(t *testing.T, o port.BuildRequest), source string) {
	one, two := project(t), project(t)
	writeFile(t, filepath.Join(two.Dir, ".git", "HEAD"), []byte("ref: refs/heads/feature\n"))
	writeFile(t, filepath.Join(two.Dir, "docs", "README.md"), []byte("# another commit\n"))
	first, err := fresh(t).Build(t.Context(), one, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	checkNoCommit(t, first)
	disturb(t, two)
	again, err := fresh(t).Build(t.Context(), two, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if first.Digest != again.Digest || first.Size != again.Size {
		t.Errorf("the same content: %s (%d bytes) and %s (%d bytes)", first.Digest, first.Size, again.Digest, again.Size)
	}
	raw, err := os.ReadFile(filepath.Join(two.Dir, source))
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(two.Dir, source), []byte(strings.ReplaceAll(string(raw), "a", "other a")))
	other, err := fresh(t).Build(t.Context(), two, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if other.Digest == first.Digest {
		t.Errorf("the digest with another %s is %s, as before", source, other.Digest)
	}
}

// checkNoCommit checks that an image says nothing of a commit or of the time, and
// that it states what it was built from.
func checkNoCommit(t *testing.T, built port.BuiltImage) {
	t.Helper()
	images, err := ocilayout.Layout(built.Layout).Images(built.Digest)
	if err != nil || len(images) != 1 {
		t.Fatalf("images = %v, error = %v, want one", images, err)
	}
	var m struct{ Annotations map[string]string }
	var c struct {
		Created time.Time
		History []struct{ Created time.Time }
		Config  struct{ Labels map[string]string }
	}
	manifest, err := ocilayout.Layout(built.Layout).ReadBlob(built.Digest)
	if err != nil || json.Unmarshal(manifest, &m) != nil {
		t.Fatalf("manifest = %s, error = %v", manifest, err)
	}
	config, err := ocilayout.Layout(built.Layout).ReadBlob(images[0].Manifest.Config.Digest)
	if err != nil || json.Unmarshal(config, &c) != nil {
		t.Fatalf("configuration = %s, error = %v", config, err)
	}
	for _, labels := range []map[string]string{c.Config.Labels, m.Annotations} {
		for _, key := range []string{"revision", "created", "source"} {
			if v, ok := labels["org.opencontainers.image."+key]; ok {
				t.Errorf("the image names its %s: %s", key, v)
			}
		}
		if from := delivery.Digest(labels[ocilayout.BuiltFromLabel]); !from.Valid() {
			t.Errorf("%s = %q, want a digest", ocilayout.BuiltFromLabel, from)
		}
	}
	if !c.Created.Equal(ocilayout.CreationTime()) {
		t.Errorf("created = %v, want %v", c.Created, ocilayout.CreationTime())
	}
	for _, h := range c.History {
		if !h.Created.IsZero() && !h.Created.Equal(ocilayout.CreationTime()) {
			t.Errorf("the history has the time %v, want %v", h.Created, ocilayout.CreationTime())
		}
	}
}

func testWholeLayout(t *testing.T, b port.Builder, o port.BuildRequest, inside []string) {
	built, err := b.Build(t.Context(), o, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if built.Layout != o.Layout || !built.Digest.Valid() {
		t.Fatalf("built = %+v", built)
	}
	var sum int64
	files := map[string]bool{}
	for _, name := range ls(t, filepath.Join(o.Layout, "blobs", "sha256")) {
		raw, err := os.ReadFile(filepath.Join(o.Layout, "blobs", "sha256", name))
		if err != nil {
			t.Fatal(err)
		}
		if delivery.DigestOf(raw).Hex() != name {
			t.Errorf("blob %s is not what its name says", name)
		}
		sum += int64(len(raw))
		list(t, raw, files)
	}
	if sum != built.Size {
		t.Errorf("size = %d, the blobs have %d bytes", built.Size, sum)
	}
	for _, want := range inside {
		if !files[want] {
			t.Errorf("the image has no %s", want)
		}
	}
	var index struct{ Manifests []descriptor }
	raw, err := os.ReadFile(filepath.Join(o.Layout, "index.json"))
	if err != nil || json.Unmarshal(raw, &index) != nil || len(index.Manifests) != 1 || index.Manifests[0].Digest != string(built.Digest) {
		t.Errorf("index.json = %s, %v", raw, err)
	}
	if left, err := filepath.Glob(o.Layout + ".*"); err != nil || len(left) > 0 {
		t.Errorf("left beside the layout: %v, %v", left, err)
	}
}

// list adds the names in a layer's archive, if raw is one.
func list(t *testing.T, raw []byte, files map[string]bool) {
	z, err := gzip.NewReader(bytes.NewReader(raw))
	if err != nil {
		return
	}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if err != nil {
			if !errors.Is(err, io.EOF) {
				t.Error(err)
			}
			return
		}
		files[strings.TrimPrefix(h.Name, "/")] = true
	}
}

func testCompileError(t *testing.T, b port.Builder) {
	o := GoProject(t, map[string]string{"cmd/api/main.go": "package main\n\nfunc main() {\n\tundefinedThing()\n}\n"})
	writeFile(t, filepath.Join(o.Layout, "keep"), []byte("x"))
	var log bytes.Buffer
	_, err := b.Build(t.Context(), o, &log)
	if !fault.Is(err, fault.Failed) || !strings.Contains(err.Error(), "cmd/api/main.go:4:2: undefined: undefinedThing") {
		t.Errorf("Build = %v, want failed, with the compiler's line", err)
	}
	if !strings.Contains(log.String(), "undefined: undefinedThing") {
		t.Errorf("the log has not what the compiler said: %q", log.String())
	}
	if _, err := os.Stat(filepath.Join(o.Layout, "index.json")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("there is an image: %v", err)
	}
	o = GoProject(t, map[string]string{"cmd/api/main.go": "package main\n\nimport _ \"example.com/nowhere/else\"\n\nfunc main() {}\n"})
	if _, err := b.Build(t.Context(), o, io.Discard); !fault.Is(err, fault.Failed) || fault.HintOf(err) == "" {
		t.Errorf("a missing dependency: %v, want failed, with a hint", err)
	}
}

func testBadOrders(t *testing.T, b port.Builder) {
	good := GoProject(t, map[string]string{"cmd/api/main.go": Hello, "lib/lib.go": "package lib\n", "docs/README.md": "#", "server/go.mod": "module example.com/server\n", "server/main.go": Hello})
	for _, pkg := range []string{"", "./nowhere", "./lib", "./docs", "../x", "/etc", "-o=x", "./...", "./cmd/*", "cmd/api/main.go"} {
		o := good
		o.Go = pkg
		if _, err := b.Build(t.Context(), o, io.Discard); !fault.Is(err, fault.Invalid) || fault.HintOf(err) == "" {
			t.Errorf("package %q: %v, want invalid, with a hint", pkg, err)
		}
	}
	nested := good
	nested.Go = "server"
	if _, err := b.Build(t.Context(), nested, io.Discard); err != nil {
		t.Errorf("a module in a folder: %v", err)
	}
	if err := os.Remove(filepath.Join(good.Dir, "go.mod")); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Build(t.Context(), good, io.Discard); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "module") {
		t.Errorf("no go.mod: %v, want invalid", err)
	}
}

func testBuildCancelled(t *testing.T, b port.Builder, o port.BuildRequest) {
	stopped := errors.New("stopped by a person")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(stopped)
	if _, err := b.Build(ctx, o, io.Discard); !errors.Is(err, stopped) {
		t.Errorf("Build = %v, want the context's cause", err)
	}
	if _, err := os.Stat(o.Layout); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("something is left: %v", err)
	}
}

func testFingerprint(t *testing.T, b port.Builder, prefix string) {
	one, err := b.Fingerprint(t.Context())
	if err != nil || !strings.HasPrefix(one, prefix) || !strings.Contains(one, "linux/") {
		t.Errorf("Fingerprint = %q, %v", one, err)
	}
	if two, err := b.Fingerprint(t.Context()); err != nil || one != two {
		t.Errorf("Fingerprint = %q, then %q, %v", one, two, err)
	}
}
