package oci_test

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/oci"
	"github.com/slipway-cd/slipway/internal/adapter/oci/embedded"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest"
)

func TestOpen_IsFast(t *testing.T) {
	best := time.Hour
	for range 5 {
		start := time.Now()
		e, err := embedded.Open(filepath.Join(t.TempDir(), "registry"))
		if err != nil {
			t.Fatal(err)
		}
		best = min(best, time.Since(start))
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	}
	if best > 10*time.Millisecond {
		t.Errorf("Open took %v, want at most 10 ms", best)
	}
}

// TestPush_SeveralProcesses pushes images that share a layer from several processes at
// once into one folder.
func TestPush_SeveralProcesses(t *testing.T) {
	registry := t.TempDir()
	shared := []porttest.LayerEntry{{Name: "base", Body: strings.Repeat("base", 1<<18)}}
	type push struct {
		cmd    *exec.Cmd
		out    bytes.Buffer
		digest delivery.Digest
	}
	pushes := make([]push, 3)
	for i := range pushes {
		p := &pushes[i]
		built := porttest.WriteLayout(t, t.TempDir(), port.ImageConfig{}, shared, []porttest.LayerEntry{{Name: "app", Body: fmt.Sprint(i)}})
		p.digest = built.Digest
		p.cmd = exec.Command(os.Args[0], "push", registry, built.Layout, string(built.Digest))
		p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.out
		if err := p.cmd.Start(); err != nil {
			t.Fatal(err)
		}
	}
	e, err := embedded.Open(registry)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	for i := range pushes {
		p := &pushes[i]
		if err := p.cmd.Wait(); err != nil || p.out.Len() > 0 {
			t.Fatalf("push %d: %v, and it printed: %s", i, err, p.out.String())
		}
		dir := filepath.Join(t.TempDir(), "x")
		if _, err := registryIn(e).Unpack(t.Context(), delivery.Image{Repository: "a/b", Digest: p.digest}, dir); err != nil {
			t.Error(err)
		}
	}
}

// TestRegistry_BoundedMemory pushes and unpacks 300 MB that can't be compressed.
func TestRegistry_BoundedMemory(t *testing.T) {
	const size = 300 << 20
	dir := t.TempDir()
	built := bigLayout(t, dir, size)
	var before runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var peak atomic.Uint64
	watch := func(done, total int64) {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		peak.Store(max(peak.Load(), m.HeapInuse))
	}
	r := registryIn(openEmbedded(t))
	img := delivery.Image{Repository: "big/model", Digest: built.Digest}
	start := time.Now()
	if _, err := r.Push(t.Context(), dir, img, "v1", watch); err != nil {
		t.Fatal(err)
	}
	pushed := time.Now()
	over := make(chan struct{})
	go func() {
		defer close(over)
		if _, err := r.Unpack(t.Context(), img, filepath.Join(t.TempDir(), "x")); err != nil {
			t.Error(err)
		}
	}()
	for tick := time.NewTicker(50 * time.Millisecond); ; {
		select {
		case <-over:
			t.Logf("push %v, unpack %v, heap %d MB before, at most %d MB", pushed.Sub(start), time.Since(pushed), before.HeapInuse>>20, peak.Load()>>20)
			if peak.Load() > 100<<20 {
				t.Errorf("%d MB of heap in use", peak.Load()>>20)
			}
			return
		case <-tick.C:
			watch(0, 0)
		}
	}
}

func TestPush_RepairsBlobs(t *testing.T) {
	registry := t.TempDir()
	e, err := embedded.Open(registry)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	layout := t.TempDir()
	built := porttest.WriteLayout(t, layout, port.ImageConfig{}, []porttest.LayerEntry{{Name: "a", Body: strings.Repeat("x", 9999)}})
	img := delivery.Image{Repository: "a/b", Digest: built.Digest}
	push := func() {
		t.Helper()
		if _, err := registryIn(e).Push(t.Context(), layout, img, "v1", nil); err != nil {
			t.Fatal(err)
		}
	}
	push()
	blobs, err := filepath.Glob(filepath.Join(registry, "docker/registry/v2/blobs/sha256/*/*/data"))
	if err != nil || len(blobs) != 3 {
		t.Fatalf("blobs: %v, %v; want manifest, configuration and layer", blobs, err)
	}
	for _, damage := range []func(string) error{os.Remove, func(p string) error { return os.Truncate(p, 1) }} {
		for _, blob := range blobs {
			if err := damage(blob); err != nil {
				t.Fatal(err)
			}
			if has, err := registryIn(e).Has(t.Context(), img); has {
				t.Errorf("Has without %s = %v, %v, want false", blob, has, err)
			}
			push()
			if has, err := registryIn(e).Has(t.Context(), img); err != nil || !has {
				t.Errorf("Has after the second push = %v, %v, want true", has, err)
			}
		}
	}
}

// TestRegistry_CorruptBlob changes stored bytes without changing their number.
func TestRegistry_CorruptBlob(t *testing.T) {
	registry := t.TempDir()
	e, err := embedded.Open(registry)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	layout, model := t.TempDir(), t.TempDir()
	built := porttest.WriteLayout(t, layout, port.ImageConfig{}, []porttest.LayerEntry{{Name: "a", Body: strings.Repeat("x", 99999)}})
	img, err := registryIn(e).Push(t.Context(), layout, delivery.Image{Repository: "a/b", Digest: built.Digest}, "v1", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(model, "weights.bin"), []byte(strings.Repeat("w", 99999)), 0o644); err != nil {
		t.Fatal(err)
	}
	digest, err := registryIn(e).Store(t.Context(), "m", model, nil)
	if err != nil {
		t.Fatal(err)
	}
	blobs, _ := filepath.Glob(filepath.Join(registry, "docker/registry/v2/blobs/sha256/*/*/data"))
	for _, blob := range blobs {
		b, err := os.ReadFile(blob)
		if err != nil {
			t.Fatal(err)
		}
		if b[0] != '{' {
			b[len(b)-1] ^= 1
			if err := os.WriteFile(blob, b, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	dir := filepath.Join(t.TempDir(), "x")
	if _, err := registryIn(e).Unpack(t.Context(), img, dir); !fault.Is(err, fault.Corrupt) {
		t.Errorf("Unpack = %v, want corrupt", err)
	}
	err = registryIn(e).Fetch(t.Context(), delivery.ModelRef{Group: "m", Version: 1, Digest: digest}, dir)
	if !fault.Is(err, fault.Corrupt) || !strings.Contains(err.Error(), "weights.bin") {
		t.Errorf("Fetch = %v, want corrupt, naming the file", err)
	}
	if _, err := os.Lstat(dir); err == nil {
		t.Error("something half-done is visible")
	}
}

func TestPush_RemovesAbandonedUploads(t *testing.T) {
	registry := t.TempDir()
	uploads := filepath.Join(registry, "docker/registry/v2/repositories/a/b/_uploads")
	for name, age := range map[string]time.Duration{"old": 2 * time.Hour, "young": time.Minute} {
		data := filepath.Join(uploads, name, "data")
		if err := os.MkdirAll(filepath.Dir(data), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(data, []byte("half"), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(data, time.Now().Add(-age), time.Now().Add(-age)); err != nil {
			t.Fatal(err)
		}
	}
	built := porttest.WriteLayout(t, t.TempDir(), port.ImageConfig{}, []porttest.LayerEntry{{Name: "a"}})
	if err := pushAlone(registry, built.Layout, built.Digest); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(uploads)
	if err != nil || len(left) != 1 || left[0].Name() != "young" {
		t.Errorf("uploads = %v, %v, want only the young one", left, err)
	}
}

func TestListen_ServesImages(t *testing.T) {
	e := openEmbedded(t)
	for _, addr := range []string{"0.0.0.0:0", ":0", "192.0.2.1:5000", "example.com:80", "nonsense"} {
		if l, err := e.Listen(addr, ""); !fault.Is(err, fault.Invalid) {
			t.Errorf("Listen(%s) = %v, %v, want it refused", addr, l, err)
		}
	}
	l, err := e.Listen("127.0.0.1:0", "")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	built := porttest.WriteLayout(t, t.TempDir(), port.ImageConfig{}, []porttest.LayerEntry{{Name: "a"}})
	img, err := registryIn(e).Push(t.Context(), built.Layout, delivery.Image{Repository: "a/b", Digest: built.Digest}, "v1", nil)
	if err != nil {
		t.Fatal(err)
	}
	outside := oci.New(oci.Config{Address: l.Addr()})
	if has, err := outside.Has(t.Context(), delivery.Image{Repository: l.Addr() + "/a/b", Digest: img.Digest}); err != nil || !has {
		t.Errorf("Has through the port = %v, %v, want true", has, err)
	}
	if got, want := outside.Reference(img), l.Addr()+"/a/b@"+string(img.Digest); got != want {
		t.Errorf("Reference = %s, want %s", got, want)
	}
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+l.Addr()+"/v2/", nil)
	req.Host = "evil.example"
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusForbidden {
		t.Errorf("status for a foreign host name = %s, want 403", resp.Status)
	}
}

func TestHas_WithoutEmbeddedRegistry(t *testing.T) {
	_, err := oci.New(oci.Config{}).Has(t.Context(), delivery.Image{Repository: "a/b", Digest: delivery.Digest("sha256:" + strings.Repeat("0", 64))})
	if !fault.Is(err, fault.Invalid) || fault.HintOf(err) == "" {
		t.Errorf("Has = %v, want invalid, with a hint", err)
	}
}

// TestUnpack_RecordOfOlderVersion: what an older version has unpacked without noting
// the ports is completed, and kept if the registry cannot say.
func TestUnpack_RecordOfOlderVersion(t *testing.T) {
	e := openEmbedded(t)
	r := registryIn(e)
	built := porttest.WriteLayout(t, t.TempDir(), port.ImageConfig{Cmd: []string{"serve"}, Ports: []int{8000}}, []porttest.LayerEntry{{Name: "a", Body: "a"}})
	img, err := r.Push(t.Context(), built.Layout, delivery.Image{Repository: "a/b", Digest: built.Digest}, "v1", nil)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "rootfs")
	if _, err := r.Unpack(t.Context(), img, dir); err != nil {
		t.Fatal(err)
	}
	old := `{"digest":"` + string(img.Digest) + `","config":{"cmd":["serve"]}}`
	if err := os.WriteFile(dir+".json", []byte(old), 0o644); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time from the record
		got, err := r.Unpack(t.Context(), img, dir)
		if err != nil || !slices.Equal(got.Ports, []int{8000}) {
			t.Errorf("config = %+v, %v; want port 8000", got, err)
		}
	}
}
