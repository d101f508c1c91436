package anchore

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest"
)

func TestScanner(t *testing.T) {
	full, none := scanner(t), New(Config{Dir: filepath.Join(t.TempDir(), "none")})
	porttest.TestScanner(t, func(_ *testing.T, w porttest.ScanFixture) port.Scanner {
		if w.Case == porttest.ScanNoData {
			return none
		}
		return full
	})
}

// scan scans an image of the layers.
func scan(t *testing.T, s *Scanner, layers ...[]porttest.LayerEntry) port.ScanReport {
	t.Helper()
	r, err := s.Scan(t.Context(), scanRequest(t, layers...))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestScan_ReportsGaps: what could not be checked does not pass as harmless.
func TestScan_ReportsGaps(t *testing.T) {
	s := scanner(t)
	for name, c := range map[string]struct {
		layer []porttest.LayerEntry
		want  string
	}{
		"distribution not in the database": {[]porttest.LayerEntry{osRelease("debian", "99"), {Name: "var/lib/dpkg/status", Body: dpkgStatus}}, "the database does not cover debian 99"},
		"code name not in the database":    {[]porttest.LayerEntry{{Name: "etc/os-release", Body: "ID=debian\nVERSION_ID=12\nVERSION_CODENAME=boxworm\n"}, {Name: "var/lib/dpkg/status", Body: dpkgStatus}}, "the database does not cover debian 12"},
		"unknown distribution":             {[]porttest.LayerEntry{osRelease("homebrewn", "1"), {Name: "var/lib/dpkg/status", Body: dpkgStatus}}, "the distribution is unknown, so its packages cannot be checked for vulnerabilities (2 deb)"},
		"removed package database":         {[]porttest.LayerEntry{osRelease("debian", "12"), wheel("harmless", "1")}, "it has no readable package database"},
		"unreadable rpm database":          {[]porttest.LayerEntry{osRelease("rhel", "9.4"), {Name: "var/lib/rpm/rpmdb.sqlite", Body: "SQLite format 3\x00" + strings.Repeat("x", 5000)}}, "/var/lib/rpm/rpmdb.sqlite could not be read"},
	} {
		t.Run(name, func(t *testing.T) {
			r := scan(t, s, c.layer)
			gaps := ""
			for _, g := range r.Gaps {
				gaps += g.What + "\n"
			}
			if !strings.Contains(gaps, c.want) {
				t.Errorf("gaps %q do not contain %q; notes %q", gaps, c.want, r.Notes)
			}
		})
	}
}

func TestScan_NotesPackageWithoutVersion(t *testing.T) {
	r := scan(t, scanner(t), debian(), []porttest.LayerEntry{wheel("planted-wheel", "")})
	want := []string{"not checked, because the version is unknown: python planted-wheel"}
	if diff := cmp.Diff(want, r.Notes); diff != "" {
		t.Errorf("notes of the report (-want +got):\n%s", diff)
	}
}

// TestScan_CoversEveryPlatform: a vulnerability of the last platform is found.
func TestScan_CoversEveryPlatform(t *testing.T) {
	s := scanner(t)
	clean := porttest.WriteLayout(t, t.TempDir(), port.ImageConfig{}, []porttest.LayerEntry{osRelease("debian", "12"), {Name: "var/lib/dpkg/status", Body: dpkgStatus[strings.Index(dpkgStatus, "Package: base-files"):]}})
	other := porttest.WriteLayout(t, t.TempDir(), port.ImageConfig{}, debian())
	both := porttest.WriteIndex(t, t.TempDir(), clean, other)
	o := port.ScanRequest{Layout: both.Layout, Image: delivery.Image{Repository: "mlops/retail-api", Digest: both.Digest}, CacheDir: t.TempDir()}
	r, err := s.Scan(t.Context(), o)
	if err != nil {
		t.Fatalf("scan both platforms: %v", err)
	}
	if len(r.Findings) != 1 {
		t.Errorf("got %d findings, want 1: %+v", len(r.Findings), r.Findings)
	}
	if len(r.Gaps) != 0 {
		t.Errorf("gaps %+v, want none", r.Gaps)
	}
	if got := r.Packages["deb"]; got != 3 {
		t.Errorf("got %d deb packages, want 3", got)
	}
	b, err := s.ImageSBOM(t.Context(), port.ImageSBOMRequest{Layout: o.Layout, Image: o.Image, Dir: o.CacheDir})
	if err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(b.CycloneDX.Path)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(raw), "libplanted") {
		t.Errorf("the SBOM does not contain libplanted:\n%s", raw)
	}
}

// TestScan_UsesCachedPackages: a second scan reads the cached list of packages,
// and reports the same.
func TestScan_UsesCachedPackages(t *testing.T) {
	s := scanner(t)
	o := scanRequest(t, debian(), []porttest.LayerEntry{wheel("planted-wheel", "1.2.3")})
	o.CacheDir = t.TempDir()
	first, err := s.Scan(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(o.CacheDir, "packages-*.json"))
	if err != nil || len(files) != 1 {
		t.Fatalf("cached lists of packages = %v, %v, want one file", files, err)
	}
	kept, err := os.Stat(files[0])
	if err != nil {
		t.Fatal(err)
	}
	second, err := s.Scan(t.Context(), o)
	if err != nil {
		t.Fatalf("second scan: %v", err)
	}
	if diff := cmp.Diff(first, second); diff != "" {
		t.Errorf("report of the second scan (-first +second):\n%s", diff)
	}
	if again, err := os.Stat(files[0]); err != nil || !again.ModTime().Equal(kept.ModTime()) {
		t.Errorf("the cached list was written again (error %v)", err)
	}
	if err := os.WriteFile(files[0], []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	third, err := s.Scan(t.Context(), o)
	if err != nil {
		t.Fatalf("scan with a damaged list: %v", err)
	}
	if len(third.Findings) != len(first.Findings) {
		t.Errorf("scan with a damaged list: got %d findings, want %d", len(third.Findings), len(first.Findings))
	}
}
