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

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// ScanCase is the situation of a scan.
type ScanCase string

// The situations. In ScanPlanted the image is Debian 12 with one package that the
// scanner's data call vulnerable: libplanted 1.9-3, CVE-2099-0001, HIGH, fixed in
// 2.0-1. ScanClean is the same image without it.
const (
	ScanPlanted ScanCase = "a vulnerable package"
	ScanClean   ScanCase = "no vulnerable package"
	ScanUnknown ScanCase = "an unknown distribution"
	ScanEmpty   ScanCase = "nothing that is recognised"
	ScanNoData  ScanCase = "no database"
)

// ScanFixture is a situation and its image.
type ScanFixture struct {
	Case  ScanCase
	Image port.BuiltImage
}

// TestScanner tests a scanner against the contract of port.Scanner.
func TestScanner(t *testing.T, open func(*testing.T, ScanFixture) port.Scanner) {
	scan := func(t *testing.T, c ScanCase) (port.ScanRequest, port.ScanReport, error) {
		t.Helper()
		w := ScanFixture{Case: c, Image: scanImage(t, c)}
		o := port.ScanRequest{Layout: w.Image.Layout, Image: delivery.Image{Repository: "mlops/retail-api", Digest: w.Image.Digest}, CacheDir: t.TempDir()}
		before := listing(t, o.Layout)
		r, err := open(t, w).Scan(t.Context(), o)
		if !slices.Equal(before, listing(t, o.Layout)) {
			t.Error("the scan changed the layout")
		}
		return o, r, err
	}
	t.Run("vulnerable package", func(t *testing.T) {
		_, r, err := scan(t, ScanPlanted)
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Findings) != 1 || len(r.Gaps) != 0 {
			t.Fatalf("report = %+v, want one finding and no gap", r)
		}
		f := r.Findings[0]
		want := delivery.Finding{Severity: delivery.High, Package: "libplanted", Version: "1.9-3", Type: "deb", FixedIn: []string{"2.0-1"}}
		got := delivery.Finding{Severity: f.Severity, Package: f.Package, Version: f.Version, Type: f.Type, FixedIn: f.FixedIn}
		if diff := cmp.Diff(want, got); diff != "" || !f.HasID("CVE-2099-0001") {
			t.Errorf("finding %s %q, want CVE-2099-0001; the rest (-want +got):\n%s", f.ID, f.Aliases, diff)
		}
		if !strings.HasPrefix(f.PURL, "pkg:deb/debian/libplanted@1.9-3") || !f.Layer.Valid() {
			t.Errorf("package URL = %q, layer = %q, want libplanted's and a digest", f.PURL, f.Layer)
		}
		wantComplete(t, r)
	})
	t.Run("no finding, no gap", func(t *testing.T) {
		_, r, err := scan(t, ScanClean)
		if err != nil || len(r.Findings) != 0 || len(r.Gaps) != 0 {
			t.Fatalf("report = %+v, error = %v, want neither findings nor gaps", r, err)
		}
		wantComplete(t, r)
	})
	for _, c := range []ScanCase{ScanUnknown, ScanEmpty} {
		t.Run(string(c)+" is a gap", func(t *testing.T) {
			_, r, err := scan(t, c)
			if err != nil {
				t.Fatal(err)
			}
			if len(r.Gaps) == 0 || r.Gaps[0].What == "" || r.Gaps[0].Hint == "" {
				t.Errorf("gaps = %+v, want one with what and a hint", r.Gaps)
			}
		})
	}
	t.Run("no database is unavailable", func(t *testing.T) {
		_, r, err := scan(t, ScanNoData)
		if !fault.Is(err, fault.Unavailable) || fault.HintOf(err) == "" || len(r.Findings) > 0 {
			t.Errorf("report = %+v, error = %v (hint %q), want kind %s with a hint", r, err, fault.HintOf(err), fault.Unavailable)
		}
	})
	t.Run("damaged image is corrupt", func(t *testing.T) {
		w := ScanFixture{Case: ScanPlanted, Image: scanImage(t, ScanPlanted)}
		file := filepath.Join(w.Image.Layout, "blobs", "sha256", w.Image.Digest.Hex())
		if err := os.WriteFile(file, []byte(`{"schemaVersion":2}`), 0o600); err != nil {
			t.Fatal(err)
		}
		r, err := open(t, w).Scan(t.Context(), port.ScanRequest{Layout: w.Image.Layout, Image: delivery.Image{Digest: w.Image.Digest}})
		if !fault.Is(err, fault.Corrupt) {
			t.Errorf("report = %+v, error = %v, want kind %s", r, err, fault.Corrupt)
		}
	})
	t.Run("cancel", func(t *testing.T) {
		w := ScanFixture{Case: ScanPlanted, Image: scanImage(t, ScanPlanted)}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		r, err := open(t, w).Scan(ctx, port.ScanRequest{Layout: w.Image.Layout, Image: delivery.Image{Digest: w.Image.Digest}})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("report = %+v, error = %v, want %v", r, err, context.Canceled)
		}
	})
}

// wantComplete fails the test unless the report names its scanner, data and packages.
func wantComplete(t *testing.T, r port.ScanReport) {
	t.Helper()
	name, version, _ := strings.Cut(r.Scanner, " ")
	tellsPackages := strings.Contains(r.Distribution, "debian") && r.Packages["deb"] > 0
	if name == "" || version == "" || !tellsPackages && (r.Packages != nil || len(r.Notes) == 0) {
		t.Errorf("scanner = %q, distribution = %q, packages = %v, want a name with a version, a Debian and its packages", r.Scanner, r.Distribution, r.Packages)
	}
	if r.Database.IsZero() || time.Since(r.Database) < -time.Hour {
		t.Errorf("time of the database = %s, want one in the past", r.Database)
	}
}

func scanImage(t *testing.T, c ScanCase) port.BuiltImage {
	t.Helper()
	release := LayerEntry{Name: "etc/os-release", Body: "ID=debian\nVERSION_ID=\"12\"\nNAME=Debian\nPRETTY_NAME=\"Debian 12\"\n"}
	status := LayerEntry{Name: "var/lib/dpkg/status", Body: debPackage("base-files", "12.4") + debPackage("libplanted", "1.9-3")}
	switch c {
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

// listing returns every file below dir with its mode and time of modification.
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
