package buildkit

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest"
)

var here = origin{files: fileTime(), created: time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC), labels: map[string]string{"org.opencontainers.image.revision": "abc"}}

func written(t *testing.T) port.BuiltImage {
	t.Helper()
	return porttest.WriteLayout(t, t.TempDir(), port.ImageConfig{User: "1000"}, []porttest.LayerEntry{{Name: "a", Body: "a"}})
}

// end is finish for blobs that lie in a folder already.
func end(t *testing.T, dir string, d delivery.Digest) (port.BuiltImage, error) {
	t.Helper()
	s, err := newStore(dir, t.TempDir(), layerCache{dir: t.TempDir(), latest: fileTime()})
	if err != nil {
		t.Fatal(err)
	}
	return finishLayout(t.Context(), s, d, here)
}

func TestFinish(t *testing.T) {
	for name, write := range map[string]func(t *testing.T) port.BuiltImage{
		"one image": written,
		"platforms": func(t *testing.T) port.BuiltImage { return porttest.WriteIndexLayout(t, t.TempDir()) },
	} {
		t.Run(name, func(t *testing.T) {
			from := write(t)
			if err := os.MkdirAll(filepath.Join(from.Layout, "ingest", "x"), 0o755); err != nil {
				t.Fatal(err)
			}
			got, err := end(t, from.Layout, from.Digest)
			if err != nil {
				t.Fatal(err)
			}
			var sum int64
			blobs, err := filepath.Glob(filepath.Join(from.Layout, "blobs", "sha256", "*"))
			if err != nil {
				t.Fatal(err)
			}
			for _, b := range blobs {
				info, err := os.Stat(b)
				if err != nil {
					t.Fatal(err)
				}
				sum += info.Size()
			}
			if got.Digest == from.Digest || got.Size != sum {
				t.Errorf("%+v, was %s; the blobs have %d bytes", got, from.Digest, sum)
			}
			if _, err := os.Stat(filepath.Join(from.Layout, "ingest")); !os.IsNotExist(err) {
				t.Errorf("the store's folder is left: %v", err)
			}
			again, err := end(t, from.Layout, got.Digest)
			if err != nil || again.Digest != got.Digest {
				t.Errorf("a second time: %s, %v", again.Digest, err)
			}
		})
	}
}

// TestFinishKeeps: what the image says itself stays, except for when it was made.
func TestFinishKeeps(t *testing.T) {
	from := written(t)
	l := layout{dir: from.Layout}
	config := []byte(`{"architecture":"amd64","os":"linux","created":"2000-01-01T00:00:00Z","own":{"x":1},"config":{"User":"1000","Labels":{"a":"b","org.opencontainers.image.revision":"old"}},` +
		`"history":[{"created":"1999-05-05T00:00:00Z","created_by":"base"},{"created":"2000-01-01T00:00:00Z","created_by":"RUN x"},{"created_by":"no time"}],"rootfs":{"type":"layers","diff_ids":[]}}`)
	if err := os.WriteFile(l.blob(delivery.DigestOf(config)), config, 0o644); err != nil {
		t.Fatal(err)
	}
	manifest, err := json.Marshal(map[string]any{"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "layers": []any{},
		"config": map[string]any{"mediaType": "application/vnd.oci.image.config.v1+json", "digest": delivery.DigestOf(config), "size": len(config)}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(l.blob(delivery.DigestOf(manifest)), manifest, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := end(t, from.Layout, delivery.DigestOf(manifest)); err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	blobs, _ := filepath.Glob(filepath.Join(from.Layout, "blobs", "sha256", "*"))
	for _, b := range blobs {
		raw, err := os.ReadFile(b)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(raw)
	}
	for _, want := range []string{
		`"created":"2026-11-24T10:00:00Z"`, `"own":{"x":1}`, `"Labels":{"a":"b","org.opencontainers.image.revision":"abc"}`, `"User":"1000"`,
		`{"created":"1999-05-05T00:00:00Z","created_by":"base"},{"created":"2026-11-24T10:00:00Z","created_by":"RUN x"},{"created_by":"no time"}`,
		`"annotations":{"org.opencontainers.image.revision":"abc"}`,
	} {
		if !strings.Contains(all.String(), want) {
			t.Errorf("%s is not in\n%s", want, all.String())
		}
	}
}

func TestFinishRefuses(t *testing.T) {
	for name, damage := range map[string]func(t *testing.T, from port.BuiltImage) delivery.Digest{
		"no digest": func(*testing.T, port.BuiltImage) delivery.Digest { return "sha256:../../x" },
		"no such manifest": func(*testing.T, port.BuiltImage) delivery.Digest {
			return delivery.Digest("sha256:" + strings.Repeat("0", 64))
		},
		"a manifest of another content": func(t *testing.T, from port.BuiltImage) delivery.Digest {
			return put(t, from, from.Digest, []byte(`{}`))
		},
		"neither image nor index": func(t *testing.T, from port.BuiltImage) delivery.Digest {
			return put(t, from, delivery.DigestOf([]byte(`{"mediaType":"x"}`)), []byte(`{"mediaType":"x"}`))
		},
		"no JSON": func(t *testing.T, from port.BuiltImage) delivery.Digest {
			return put(t, from, delivery.DigestOf([]byte(`<html>`)), []byte(`<html>`))
		},
		"nested without end": func(t *testing.T, from port.BuiltImage) delivery.Digest {
			d := from.Digest
			for range maxDepth {
				raw := []byte(`{"manifests":[{"digest":"` + string(d) + `"}]}`)
				d = put(t, from, delivery.DigestOf(raw), raw)
			}
			return d
		},
		"a layer cut off": func(t *testing.T, from port.BuiltImage) delivery.Digest {
			blobs, _ := filepath.Glob(filepath.Join(from.Layout, "blobs", "sha256", "*"))
			for _, b := range blobs {
				if raw, err := os.ReadFile(b); err == nil && raw[0] == 0x1f {
					if err := os.Truncate(b, 3); err != nil {
						t.Fatal(err)
					}
				}
			}
			return from.Digest
		},
	} {
		from := written(t)
		if built, err := end(t, from.Layout, damage(t, from)); err == nil {
			t.Errorf("%s: %+v", name, built)
		}
	}
}

func put(t *testing.T, from port.BuiltImage, d delivery.Digest, raw []byte) delivery.Digest {
	t.Helper()
	if err := os.WriteFile(filepath.Join(from.Layout, "blobs", "sha256", d.Hex()), raw, 0o644); err != nil {
		t.Fatal(err)
	}
	return d
}

// TestBorrow: a blob that another layout has is linked, one of another size is not.
func TestBorrow(t *testing.T) {
	all := t.TempDir()
	other := porttest.WriteLayout(t, filepath.Join(all, "one"), port.ImageConfig{}, []porttest.LayerEntry{{Name: "a", Body: "a"}})
	s, err := newStore(filepath.Join(all, "two.partial"), all, layerCache{dir: t.TempDir(), latest: fileTime()})
	if err != nil {
		t.Fatal(err)
	}
	info, err := s.Info(t.Context(), "sha256:"+"0000000000000000000000000000000000000000000000000000000000000000")
	if err == nil {
		t.Errorf("a blob that nobody has: %+v", info)
	}
	s.linkBlob("sha256:"+"../../../../etc/passwd", 0)
	from := filepath.Join(other.Layout, "blobs", "sha256", other.Digest.Hex())
	there, err := os.Stat(from)
	if err != nil {
		t.Fatal(err)
	}
	s.linkBlob(other.Digest, there.Size()+1)
	to := filepath.Join(all, "two.partial", "blobs", "sha256", other.Digest.Hex())
	if _, err := os.Stat(to); err == nil {
		t.Error("a blob of another size was taken")
	}
	if _, err := s.Info(t.Context(), digestOf(other)); err != nil {
		t.Errorf("Info: %v", err)
	}
	if linked, err := os.Stat(to); err != nil || !os.SameFile(there, linked) {
		t.Errorf("it was not linked: %v", err)
	}
}
