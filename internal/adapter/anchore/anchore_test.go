package anchore

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

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

func gapsOf(t *testing.T, s *Scanner, layers ...[]porttest.LayerEntry) port.ScanReport {
	t.Helper()
	r, err := s.Scan(t.Context(), order(t, layers...))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestGaps holds that what finds nothing because nobody could look is not passed.
func TestGaps(t *testing.T) {
	s := scanner(t)
	for name, c := range map[string]struct {
		layer []porttest.LayerEntry
		says  string
	}{
		"a distribution that the database does not know": {[]porttest.LayerEntry{osRelease("debian", "99"), {Name: "var/lib/dpkg/status", Body: dpkgStatus}}, "the database does not cover debian 99"},
		"a code name that the database does not know":    {[]porttest.LayerEntry{{Name: "etc/os-release", Body: "ID=debian\nVERSION_ID=12\nVERSION_CODENAME=boxworm\n"}, {Name: "var/lib/dpkg/status", Body: dpkgStatus}}, "the database does not cover debian 12"},
		"a distribution that nobody knows":               {[]porttest.LayerEntry{osRelease("homebrewn", "1"), {Name: "var/lib/dpkg/status", Body: dpkgStatus}}, "the distribution is unknown, so its packages cannot be checked for vulnerabilities (2 deb)"},
		"a package database that was removed":            {[]porttest.LayerEntry{osRelease("debian", "12"), wheel("harmless", "1")}, "it has no readable package database"},
		"an rpm database that can't be read":             {[]porttest.LayerEntry{osRelease("rhel", "9.4"), {Name: "var/lib/rpm/rpmdb.sqlite", Body: "SQLite format 3\x00" + strings.Repeat("x", 5000)}}, "/var/lib/rpm/rpmdb.sqlite could not be read"},
	} {
		t.Run(name, func(t *testing.T) {
			r := gapsOf(t, s, c.layer)
			said := ""
			for _, g := range r.Gaps {
				said += g.What + "\n"
			}
			if !strings.Contains(said, c.says) {
				t.Errorf("gaps %q, notes %q", said, r.Notes)
			}
		})
	}
}

func TestAPackageWithoutAVersionIsNoted(t *testing.T) {
	r := gapsOf(t, scanner(t), debian(), []porttest.LayerEntry{wheel("planted-wheel", "")})
	if len(r.Notes) != 1 || !strings.Contains(r.Notes[0], "version is unknown: python planted-wheel") {
		t.Errorf("%+v", r)
	}
}

// TestEveryPlatformIsLookedAt holds that a weakness in the last of them is found.
func TestEveryPlatformIsLookedAt(t *testing.T) {
	s := scanner(t)
	clean := porttest.WriteLayout(t, t.TempDir(), port.ImageConfig{}, []porttest.LayerEntry{osRelease("debian", "12"), {Name: "var/lib/dpkg/status", Body: dpkgStatus[strings.Index(dpkgStatus, "Package: base-files"):]}})
	other := porttest.WriteLayout(t, t.TempDir(), port.ImageConfig{}, debian())
	both := porttest.WriteIndex(t, t.TempDir(), clean, other)
	o := port.ScanRequest{Layout: both.Layout, Image: delivery.Image{Repository: "mlops/retail-api", Digest: both.Digest}, CacheDir: t.TempDir()}
	r, err := s.Scan(t.Context(), o)
	if err != nil || len(r.Findings) != 1 || len(r.Gaps) != 0 || r.Packages["deb"] != 3 {
		t.Errorf("%+v, %v", r, err)
	}
	b, err := s.ImageSBOM(t.Context(), port.ImageSBOMRequest{Layout: o.Layout, Image: o.Image, Dir: o.CacheDir})
	if err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(b.CycloneDX.Path)
	if err != nil || !strings.Contains(string(raw), "libplanted") {
		t.Errorf("%v: %s", err, raw)
	}
}

// TestTheNextScanReadsTheImageNoMore holds that what is kept is used, and gives
// the same.
func TestTheNextScanReadsTheImageNoMore(t *testing.T) {
	s := scanner(t)
	o := order(t, debian(), []porttest.LayerEntry{wheel("planted-wheel", "1.2.3")})
	o.CacheDir = t.TempDir()
	first, err := s.Scan(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(o.CacheDir, "packages-*.json"))
	if err != nil || len(files) != 1 {
		t.Fatalf("%v, %v", files, err)
	}
	kept, err := os.Stat(files[0])
	if err != nil {
		t.Fatal(err)
	}
	second, err := s.Scan(t.Context(), o)
	if err != nil || fmt.Sprintf("%+v", first) != fmt.Sprintf("%+v", second) {
		t.Errorf("%v\n%+v\n%+v", err, first, second)
	}
	if again, err := os.Stat(files[0]); err != nil || !again.ModTime().Equal(kept.ModTime()) {
		t.Error("the list was made again")
	}
	if err := os.WriteFile(files[0], []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if third, err := s.Scan(t.Context(), o); err != nil || len(third.Findings) != len(first.Findings) {
		t.Errorf("a damaged list: %+v, %v", third, err)
	}
}
