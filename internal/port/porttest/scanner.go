package porttest

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// ScanCase is what a scanner is confronted with.
type ScanCase string

// The scenes. In Planted the image is Debian 12 with one package that the
// scanner's data call vulnerable: libplanted 1.9-3, CVE-2099-0001, HIGH, fixed in
// 2.0-1. Clean is the same image without it.
const (
	ScanPlanted ScanCase = "a vulnerable package"
	ScanClean   ScanCase = "no vulnerable package"
	ScanUnknown ScanCase = "an unknown distribution"
	ScanEmpty   ScanCase = "nothing that is recognised"
	ScanNoData  ScanCase = "no database"
)

// ScanFixture is a scanner in a scene, whose image is in the layout.
type ScanFixture struct {
	Case  ScanCase
	Image port.BuiltImage
}

// TestScanner holds a scanner to the promises of port.Scanner.
func TestScanner(t *testing.T, open func(*testing.T, ScanFixture) port.Scanner) {
	scan := func(t *testing.T, scene ScanCase) (port.ScanRequest, port.ScanReport, error) {
		t.Helper()
		w := ScanFixture{Case: scene, Image: sceneImage(t, scene)}
		o := port.ScanRequest{Layout: w.Image.Layout, Image: delivery.Image{Repository: "mlops/retail-api", Digest: w.Image.Digest}, CacheDir: t.TempDir()}
		before := listing(t, o.Layout)
		r, err := open(t, w).Scan(t.Context(), o)
		if !slices.Equal(before, listing(t, o.Layout)) {
			t.Error("the layout was changed")
		}
		return o, r, err
	}
	t.Run("finds what is there", func(t *testing.T) {
		_, r, err := scan(t, ScanPlanted)
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Findings) != 1 || len(r.Gaps) != 0 {
			t.Fatalf("%+v", r)
		}
		f := r.Findings[0]
		if !f.HasID("CVE-2099-0001") || f.Severity != delivery.High || f.Package != "libplanted" || f.Version != "1.9-3" || f.Type != "deb" || !slices.Equal(f.FixedIn, []string{"2.0-1"}) {
			t.Errorf("%+v", f)
		}
		if !strings.HasPrefix(f.PURL, "pkg:deb/debian/libplanted@1.9-3") || !f.Layer.Valid() {
			t.Errorf("%+v", f)
		}
		whole(t, r)
	})
	t.Run("nothing found means that all was looked up", func(t *testing.T) {
		_, r, err := scan(t, ScanClean)
		if err != nil || len(r.Findings) != 0 || len(r.Gaps) != 0 {
			t.Fatalf("%+v, %v", r, err)
		}
		whole(t, r)
	})
	for _, scene := range []ScanCase{ScanUnknown, ScanEmpty} {
		t.Run(string(scene)+" is a gap", func(t *testing.T) {
			_, r, err := scan(t, scene)
			if err != nil {
				t.Fatal(err)
			}
			if len(r.Gaps) == 0 || r.Gaps[0].What == "" || r.Gaps[0].Hint == "" {
				t.Errorf("%+v", r)
			}
		})
	}
	t.Run("no database is no answer", func(t *testing.T) {
		_, r, err := scan(t, ScanNoData)
		if !fault.Is(err, fault.Unavailable) || fault.HintOf(err) == "" || len(r.Findings) > 0 {
			t.Errorf("%+v, %v", r, err)
		}
	})
	t.Run("a damaged image is no answer", func(t *testing.T) {
		w := ScanFixture{Case: ScanPlanted, Image: sceneImage(t, ScanPlanted)}
		file := filepath.Join(w.Image.Layout, "blobs", "sha256", w.Image.Digest.Hex())
		if err := os.WriteFile(file, []byte(`{"schemaVersion":2}`), 0o600); err != nil {
			t.Fatal(err)
		}
		r, err := open(t, w).Scan(t.Context(), port.ScanRequest{Layout: w.Image.Layout, Image: delivery.Image{Digest: w.Image.Digest}})
		if !fault.Is(err, fault.Corrupt) {
			t.Errorf("%+v, %v", r, err)
		}
	})
	t.Run("ends with its context", func(t *testing.T) {
		w := ScanFixture{Case: ScanPlanted, Image: sceneImage(t, ScanPlanted)}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		r, err := open(t, w).Scan(ctx, port.ScanRequest{Layout: w.Image.Layout, Image: delivery.Image{Digest: w.Image.Digest}})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%+v, %v", r, err)
		}
	})
}

// whole checks that a report says what it rests on.
func whole(t *testing.T, r port.ScanReport) {
	t.Helper()
	name, version, _ := strings.Cut(r.Scanner, " ")
	if name == "" || version == "" || !strings.Contains(r.Distribution, "debian") || r.Packages["deb"] == 0 {
		t.Errorf("%+v", r)
	}
	if r.Database.IsZero() || time.Since(r.Database) < -time.Hour {
		t.Errorf("the database is of %s", r.Database)
	}
}

func sceneImage(t *testing.T, scene ScanCase) port.BuiltImage {
	t.Helper()
	release := LayerEntry{Name: "etc/os-release", Body: "ID=debian\nVERSION_ID=\"12\"\nNAME=Debian\nPRETTY_NAME=\"Debian 12\"\n"}
	status := LayerEntry{Name: "var/lib/dpkg/status", Body: debPackage("base-files", "12.4") + debPackage("libplanted", "1.9-3")}
	switch scene {
	case ScanClean:
		status.Body = debPackage("base-files", "12.4")
	case ScanUnknown:
		release = LayerEntry{Name: "etc/issue", Body: "welcome\n"}
	case ScanEmpty:
		release, status = LayerEntry{Name: "app/readme", Body: "x"}, LayerEntry{Name: "app/data.csv", Body: "1,2\n"}
	}
	return WriteLayout(t, t.TempDir(), port.ImageConfig{}, []LayerEntry{release, status}, []LayerEntry{{Name: "app/note", Body: "y"}})
}

func debPackage(name, version string) string {
	return "Package: " + name + "\nStatus: install ok installed\nMaintainer: Nobody <nobody@example.com>\nArchitecture: amd64\nVersion: " + version + "\nDescription: made up\n\n"
}

// listing is every file below dir with its size.
func listing(t *testing.T, dir string) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		out = append(out, path+" "+info.Mode().String()+" "+info.ModTime().String())
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}
