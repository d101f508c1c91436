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

	"github.com/klauspost/compress/zstd"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/slipway-cd/slipway/internal/delivery"
)

// archive is a layer with files of two times, links and attributes.
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

func pressBytes(t *testing.T, raw []byte) (normalizedLayer, []byte) {
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
	if delivery.DigestOf(out) != p.Digest || int64(len(out)) != p.Size {
		t.Errorf("%+v is not what was written", p)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*.new")); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	return p, out
}

// TestPress: whenever a layer was made, and however it travelled, its bytes are
// the same.
func TestPress(t *testing.T) {
	one, two := archive(t, time.Unix(1_700_000_000, 0)), archive(t, time.Unix(1_800_000_000, 123_456_789))
	enc, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	want, out := pressBytes(t, one)
	for name, raw := range map[string][]byte{
		"another time": two, "gzip": zipped(t, one), "zstd": enc.EncodeAll(one, nil), "pressed already": out,
	} {
		if got, _ := pressBytes(t, raw); got != want {
			t.Errorf("%s: %+v, want %+v", name, got, want)
		}
	}
	z, err := gzip.NewReader(bytes.NewReader(out))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(z)
	if err != nil || delivery.DigestOf(plain) != want.DiffID {
		t.Errorf("the archive is %s, not %s: %v", delivery.DigestOf(plain), want.DiffID, err)
	}
	r := tar.NewReader(bytes.NewReader(plain))
	for _, name := range []string{"app/", "app/new", "app/old", "app/link", ".wh.gone"} {
		h, err := r.Next()
		if err != nil || h.Name != name {
			t.Fatalf("%+v, %v, want %s", h, err, name)
		}
		at := fileTime()
		if name == "app/old" {
			at = time.Unix(1000, 0)
		}
		if !h.ModTime.Equal(at) {
			t.Errorf("%s is of %s", name, h.ModTime)
		}
		if name == "app/new" && (h.Mode != 0o4755 || h.Uid != 65532 || h.PAXRecords["SCHILY.xattr.user.a"] != "b") {
			t.Errorf("%s lost something: %+v", name, h)
		}
	}
}

// TestPressOnOtherMachines: what compresses in parallel gives the same bytes
// whatever the number of processors.
func TestPressOnOtherMachines(t *testing.T) {
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
	one, _ := pressBytes(t, buf.Bytes())
	runtime.GOMAXPROCS(7)
	if many, _ := pressBytes(t, buf.Bytes()); many != one {
		t.Errorf("on seven processors %+v, on one %+v", many, one)
	}
}

func TestPressRefuses(t *testing.T) {
	dir := t.TempDir()
	from := filepath.Join(dir, "from")
	good := archive(t, time.Unix(1_700_000_000, 0))
	for name, raw := range map[string][]byte{"no archive": bytes.Repeat([]byte("x"), 2000), "cut off": good[:700], "broken gzip": zipped(t, good)[:60]} {
		if err := os.WriteFile(from, raw, 0o644); err != nil {
			t.Fatal(err)
		}
		if p, err := normalizeLayer(t.Context(), from, dir, fileTime()); err == nil {
			t.Errorf("%s: %+v", name, p)
		}
	}
	stopped := errors.New("stopped")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(stopped)
	if _, err := normalizeLayer(ctx, from, dir, fileTime()); !errors.Is(err, stopped) {
		t.Errorf("stopped: %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) != 1 {
		t.Errorf("left: %v", left)
	}
}

func TestMemo(t *testing.T) {
	d := delivery.Digest("sha256:5b1de0fd605470195fdeec93dca2fb39df1641b95b251e9aa034a682e4b9531c")
	p := normalizedLayer{Digest: d, Size: 3, DiffID: d}
	m := layerCache{dir: filepath.Join(t.TempDir(), "layers"), latest: fileTime()}
	if got, ok := m.lookup(d); ok {
		t.Errorf("before: %+v", got)
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
		t.Errorf("what nobody used is kept: %v", err)
	}
	if got, ok := m.lookup(d); !ok || got != p {
		t.Errorf("%+v, %v", got, ok)
	}
	if got, ok := (layerCache{dir: m.dir, latest: time.Unix(0, 0)}).lookup(d); ok {
		t.Errorf("for another time: %+v", got)
	}
	if err := os.WriteFile(m.file(d), []byte(`{"digest":"sha256:../x"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, ok := m.lookup(d); ok {
		t.Errorf("nonsense: %+v", got)
	}
	layerCache{}.store(d, p)
	if _, ok := (layerCache{}).lookup(d); ok {
		t.Error("without a folder something is remembered")
	}
}

func TestFirstOwn(t *testing.T) {
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
		"all the base's":           {[]ocispecs.History{entry(base, false), entry(base, true), entry(own, true)}, 1, 1},
		"one of ours":              {[]ocispecs.History{entry(base, false), entry(base, true), entry(own, true), entry(own, false)}, 2, 1},
		"from scratch":             {[]ocispecs.History{entry(own, false), entry(own, false)}, 2, 0},
		"a history that lacks one": {[]ocispecs.History{entry(base, false)}, 2, 0},
		"none at all":              {nil, 3, 0},
		"no times":                 {[]ocispecs.History{entry(meta, false), entry(own, false)}, 2, 1},
	} {
		if got := firstBuiltLayer(c.history, c.layers, own); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}
