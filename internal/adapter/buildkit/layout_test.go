package buildkit

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest"
)

var here = origin{files: fileTime(), service: "api", params: buildParams{Dockerfile: "Dockerfile"}}

func writeImage(t *testing.T) port.BuiltImage {
	t.Helper()
	return porttest.WriteLayout(t, t.TempDir(), port.ImageConfig{User: "1000"}, []porttest.LayerEntry{{Name: "a", Body: "a"}})
}

// finish calls finishLayout for blobs that are in a folder already.
func finish(t *testing.T, dir string, d delivery.Digest) (port.BuiltImage, error) {
	t.Helper()
	s, err := newStore(dir, t.TempDir(), layerCache{dir: t.TempDir(), latest: fileTime()})
	if err != nil {
		t.Fatal(err)
	}
	return finishLayout(t.Context(), s, d, here)
}

func TestFinishLayout(t *testing.T) {
	for name, write := range map[string]func(t *testing.T) port.BuiltImage{
		"one image": writeImage,
		"platforms": func(t *testing.T) port.BuiltImage { return porttest.WriteIndexLayout(t, t.TempDir()) },
	} {
		t.Run(name, func(t *testing.T) {
			from := write(t)
			if err := os.MkdirAll(filepath.Join(from.Layout, "ingest", "x"), 0o755); err != nil {
				t.Fatal(err)
			}
			got, err := finish(t, from.Layout, from.Digest)
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
			if got.Digest == from.Digest {
				t.Errorf("digest = %s, the one before finishLayout", got.Digest)
			}
			if got.Size != sum {
				t.Errorf("size = %d, want %d, the sum of the blobs", got.Size, sum)
			}
			if _, err := os.Stat(filepath.Join(from.Layout, "ingest")); !os.IsNotExist(err) {
				t.Errorf("stat of the store's folder = %v, want %v", err, os.ErrNotExist)
			}
			again, err := finish(t, from.Layout, got.Digest)
			if err != nil || again.Digest != got.Digest {
				t.Errorf("finishLayout of its own result = %s, %v, want %s", again.Digest, err, got.Digest)
			}
		})
	}
}

// TestFinishLayout_KeepsConfig: the image's configuration stays, except for its time
// and our labels.
func TestFinishLayout_KeepsConfig(t *testing.T) {
	from := writeImage(t)
	l := layout{dir: from.Layout}
	config := []byte(`{"architecture":"amd64","os":"linux","created":"2026-11-24T10:00:00Z","own":{"x":1},"config":{"User":"1000","Labels":{"a":"b","org.opencontainers.image.title":"old","own":"kept"}},` +
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
	if _, err := finish(t, from.Layout, delivery.DigestOf(manifest)); err != nil {
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
	labels, err := here.labels(nil)
	if err != nil {
		t.Fatal(err)
	}
	ours := `"dev.slipway.built-from":"` + labels["dev.slipway.built-from"] + `"`
	for _, want := range []string{
		`"created":"2000-01-01T00:00:00Z"`, `"own":{"x":1}`, `"Labels":{"a":"b",` + ours + `,"org.opencontainers.image.title":"api","own":"kept"}`, `"User":"1000"`,
		`{"created":"1999-05-05T00:00:00Z","created_by":"base"},{"created":"2000-01-01T00:00:00Z","created_by":"RUN x"},{"created_by":"no time"}`,
		`"annotations":{` + ours + `,"org.opencontainers.image.title":"api"}`,
	} {
		if !strings.Contains(all.String(), want) {
			t.Errorf("the blobs do not contain %s:\n%s", want, all.String())
		}
	}
}

func TestFinishLayout_Refuses(t *testing.T) {
	for name, damage := range map[string]func(t *testing.T, from port.BuiltImage) delivery.Digest{
		"invalid digest": func(*testing.T, port.BuiltImage) delivery.Digest { return "sha256:../../x" },
		"missing manifest": func(*testing.T, port.BuiltImage) delivery.Digest {
			return delivery.Digest("sha256:" + strings.Repeat("0", 64))
		},
		"manifest with other content": func(t *testing.T, from port.BuiltImage) delivery.Digest {
			return put(t, from, from.Digest, []byte(`{}`))
		},
		"neither image nor index": func(t *testing.T, from port.BuiltImage) delivery.Digest {
			return put(t, from, delivery.DigestOf([]byte(`{"mediaType":"x"}`)), []byte(`{"mediaType":"x"}`))
		},
		"not JSON": func(t *testing.T, from port.BuiltImage) delivery.Digest {
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
		"truncated layer": func(t *testing.T, from port.BuiltImage) delivery.Digest {
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
		t.Run(name, func(t *testing.T) {
			from := writeImage(t)
			if built, err := finish(t, from.Layout, damage(t, from)); err == nil {
				t.Errorf("finishLayout = %+v, want an error", built)
			}
		})
	}
}

func put(t *testing.T, from port.BuiltImage, d delivery.Digest, raw []byte) delivery.Digest {
	t.Helper()
	if err := os.WriteFile(filepath.Join(from.Layout, "blobs", "sha256", d.Hex()), raw, 0o644); err != nil {
		t.Fatal(err)
	}
	return d
}

// TestStore_LinksBlobs: a blob of another layout is linked, one of another size is not.
func TestStore_LinksBlobs(t *testing.T) {
	all := t.TempDir()
	other := porttest.WriteLayout(t, filepath.Join(all, "one"), port.ImageConfig{}, []porttest.LayerEntry{{Name: "a", Body: "a"}})
	s, err := newStore(filepath.Join(all, "two.partial"), all, layerCache{dir: t.TempDir(), latest: fileTime()})
	if err != nil {
		t.Fatal(err)
	}
	info, err := s.Info(t.Context(), "sha256:"+"0000000000000000000000000000000000000000000000000000000000000000")
	if err == nil {
		t.Errorf("Info of an unknown blob = %+v, want an error", info)
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
		t.Error("a blob of another size was linked")
	}
	if _, err := s.Info(t.Context(), digestOf(other)); err != nil {
		t.Errorf("Info of a blob in another layout = %v, want nil", err)
	}
	if linked, err := os.Stat(to); err != nil || !os.SameFile(there, linked) {
		t.Errorf("the blob is not a link to the other layout's (error %v)", err)
	}
}
