package buildkit

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/slipway-cd/slipway/internal/delivery"
)

// archive returns a layer with files of two times, links and attributes.
func archive(t *testing.T, young time.Time) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, h := range []*tar.Header{
		{Name: "app/", Typeflag: tar.TypeDir, Mode: 0o755, ModTime: young},
		{Name: "app/new", Typeflag: tar.TypeReg, Mode: 0o4755, Uid: 65532, Gid: 3, Size: 4, ModTime: young, PAXRecords: map[string]string{"SCHILY.xattr.user.a": "b"}},
		{Name: "app/old", Typeflag: tar.TypeReg, Mode: 0o600, Size: 4, ModTime: time.Unix(1000, 0)},
		{Name: "app/link", Typeflag: tar.TypeSymlink, Linkname: "old", ModTime: young},
		{Name: ".wh.gone", Typeflag: tar.TypeReg, ModTime: young},
	} {
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte("body")[:h.Size]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func zipped(t *testing.T, raw []byte) []byte {
	t.Helper()
	var buf bytes.Buffer
	z, err := gzip.NewWriterLevel(&buf, gzip.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := z.Write(raw); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// normalizeBytes normalizes a layer, and returns the written blob.
func normalizeBytes(t *testing.T, raw []byte) (normalizedLayer, []byte) {
	t.Helper()
	dir := t.TempDir()
	from := filepath.Join(dir, "from")
	if err := os.WriteFile(from, raw, 0o644); err != nil {
		t.Fatal(err)
	}
	p, err := normalizeLayer(t.Context(), from, dir, fileTime())
	if err != nil {
		t.Fatal(err)
	}
	out, err := os.ReadFile(filepath.Join(dir, p.Digest.Hex()))
	if err != nil {
		t.Fatal(err)
	}
	if got := delivery.DigestOf(out); got != p.Digest {
		t.Errorf("digest of the written layer = %s, want %s", got, p.Digest)
	}
	if got := int64(len(out)); got != p.Size {
		t.Errorf("size of the written layer = %d, want %d", got, p.Size)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*.new")); len(left) > 0 {
		t.Errorf("unfinished files = %v, want none", left)
	}
	return p, out
}

// TestNormalizeLayer_IsReproducible: a layer's time and compression don't change
// its bytes.
func TestNormalizeLayer_IsReproducible(t *testing.T) {
	one, two := archive(t, time.Unix(1_700_000_000, 0)), archive(t, time.Unix(1_800_000_000, 123_456_789))
	enc, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	want, out := normalizeBytes(t, one)
	for name, raw := range map[string][]byte{
		"other time": two, "gzip": zipped(t, one), "zstd": enc.EncodeAll(one, nil), "normalized already": out,
	} {
		t.Run(name, func(t *testing.T) {
			got, _ := normalizeBytes(t, raw)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("normalized layer (-want +got):\n%s", diff)
			}
		})
	}
	checkArchive(t, out, want.DiffID)
}

// checkArchive compares the normalized layer with the files of archive.
func checkArchive(t *testing.T, layer []byte, diffID delivery.Digest) {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(layer))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(z)
	if err != nil {
		t.Errorf("decompress the layer: %v", err)
	}
	if got := delivery.DigestOf(plain); got != diffID {
		t.Errorf("digest of the decompressed layer = %s, want %s", got, diffID)
	}
	r := tar.NewReader(bytes.NewReader(plain))
	for _, name := range []string{"app/", "app/new", "app/old", "app/link", ".wh.gone"} {
		h, err := r.Next()
		if err != nil || h.Name != name {
			t.Fatalf("next entry of the archive = %+v, %v, want %s", h, err, name)
		}
		at := fileTime()
		if name == "app/old" {
			at = time.Unix(1000, 0)
		}
		if !h.ModTime.Equal(at) {
			t.Errorf("time of %s = %s, want %s", name, h.ModTime, at)
		}
		if name != "app/new" {
			continue
		}
		if h.Mode != 0o4755 {
			t.Errorf("mode of %s = %o, want 4755", name, h.Mode)
		}
		if h.Uid != 65532 {
			t.Errorf("owner of %s = %d, want 65532", name, h.Uid)
		}
		if got := h.PAXRecords["SCHILY.xattr.user.a"]; got != "b" {
			t.Errorf("attribute user.a of %s = %q, want b", name, got)
		}
	}
}

// TestNormalizeLayer_AnyProcessors: parallel compression returns the same bytes with
// any number of processors.
func TestNormalizeLayer_AnyProcessors(t *testing.T) {
	body := make([]byte, 5<<20)
	seed := rand.NewChaCha8([32]byte{})
	_, _ = seed.Read(body[:3<<20]) // never fails
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	err := w.WriteHeader(&tar.Header{Name: "app", Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(body))})
	if err == nil {
		_, err = w.Write(body)
	}
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	before := runtime.GOMAXPROCS(1)
	defer runtime.GOMAXPROCS(before)
	one, _ := normalizeBytes(t, buf.Bytes())
	runtime.GOMAXPROCS(7)
	many, _ := normalizeBytes(t, buf.Bytes())
	if diff := cmp.Diff(one, many); diff != "" {
		t.Errorf("normalized layer (-one processor +seven processors):\n%s", diff)
	}
}

func TestNormalizeLayer_Refuses(t *testing.T) {
	dir := t.TempDir()
	from := filepath.Join(dir, "from")
	good := archive(t, time.Unix(1_700_000_000, 0))
	for name, raw := range map[string][]byte{"not an archive": bytes.Repeat([]byte("x"), 2000), "cut off": good[:700], "broken gzip": zipped(t, good)[:60]} {
		t.Run(name, func(t *testing.T) {
			if err := os.WriteFile(from, raw, 0o644); err != nil {
				t.Fatal(err)
			}
			if p, err := normalizeLayer(t.Context(), from, dir, fileTime()); err == nil {
				t.Errorf("normalizeLayer = %+v, want an error", p)
			}
		})
	}
	stopped := errors.New("stopped")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(stopped)
	if _, err := normalizeLayer(ctx, from, dir, fileTime()); !errors.Is(err, stopped) {
		t.Errorf("normalizeLayer with an ended context = %v, want %v", err, stopped)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) != 1 {
		t.Errorf("files = %v, want only the layer", left)
	}
}

func TestLayerCache(t *testing.T) {
	d := delivery.Digest("sha256:5b1de0fd605470195fdeec93dca2fb39df1641b95b251e9aa034a682e4b9531c")
	p := normalizedLayer{Digest: d, Size: 3, DiffID: d}
	m := layerCache{dir: filepath.Join(t.TempDir(), "layers"), latest: fileTime()}
	if got, ok := m.lookup(d); ok {
		t.Errorf("lookup in an empty cache = %+v, want none", got)
	}
	old := filepath.Join(m.dir, "old")
	m.store(d, p)
	if err := os.WriteFile(old, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	long := time.Now().Add(-2 * layerCacheAge)
	if err := os.Chtimes(old, long, long); err != nil {
		t.Fatal(err)
	}
	m.store(d, p)
	if _, err := os.Stat(old); !os.IsNotExist(err) {
		t.Errorf("stat of an unused entry = %v, want %v", err, os.ErrNotExist)
	}
	got, ok := m.lookup(d)
	if !ok {
		t.Error("the cache lacks the stored layer")
	}
	if diff := cmp.Diff(p, got); diff != "" {
		t.Errorf("cached layer (-want +got):\n%s", diff)
	}
	if got, ok := (layerCache{dir: m.dir, latest: time.Unix(0, 0)}).lookup(d); ok {
		t.Errorf("lookup for another time = %+v, want none", got)
	}
	if err := os.WriteFile(m.file(d), []byte(`{"digest":"sha256:../x"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, ok := m.lookup(d); ok {
		t.Errorf("lookup of an invalid entry = %+v, want none", got)
	}
	layerCache{}.store(d, p)
	if got, ok := (layerCache{}).lookup(d); ok {
		t.Errorf("lookup in a cache without a folder = %+v, want none", got)
	}
}

func TestFirstBuiltLayer(t *testing.T) {
	base, own, meta := time.Unix(1_600_000_000, 0), fileTime(), time.Time{}
	entry := func(at time.Time, empty bool) ocispecs.History {
		h := ocispecs.History{EmptyLayer: empty}
		if !at.Equal(meta) {
			h.Created = &at
		}
		return h
	}
	for name, c := range map[string]struct {
		history []ocispecs.History
		layers  int
		want    int
	}{
		"only the base's": {[]ocispecs.History{entry(base, false), entry(base, true), entry(own, true)}, 1, 1},
		"one built":       {[]ocispecs.History{entry(base, false), entry(base, true), entry(own, true), entry(own, false)}, 2, 1},
		"from scratch":    {[]ocispecs.History{entry(own, false), entry(own, false)}, 2, 0},
		"short history":   {[]ocispecs.History{entry(base, false)}, 2, 0},
		"no history":      {nil, 3, 0},
		"no times":        {[]ocispecs.History{entry(meta, false), entry(own, false)}, 2, 1},
	} {
		t.Run(name, func(t *testing.T) {
			if got := firstBuiltLayer(c.history, c.layers, own); got != c.want {
				t.Errorf("firstBuiltLayer = %d, want %d", got, c.want)
			}
		})
	}
}
