package anchore

import (
	"database/sql"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/anchore/testdb"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest"
)

// planted lists the vulnerabilities in the test's database, one for each ecosystem.
func planted() []testdb.Vulnerability {
	return []testdb.Vulnerability{
		{ID: "CVE-2099-0001", Severity: "high", Ecosystem: "deb", Distro: "debian", DistroVersion: "12", Codename: "bookworm", Package: "libplanted", Below: "2.0-1", Fixed: true},
		{ID: "CVE-2099-0002", Severity: "critical", Ecosystem: "apk", Distro: "alpine", DistroVersion: "3.20", Package: "planted-apk", Below: "1.5.0-r0", Fixed: true},
		{ID: "GHSA-pppp-pppp-pppp", Aliases: []string{"CVE-2099-0003"}, Severity: "critical", Ecosystem: "python", Package: "planted-wheel", Below: "2.0.0", Fixed: true},
		{ID: "GHSA-gggg-gggg-gggg", Aliases: []string{"CVE-2099-0004"}, Severity: "high", Ecosystem: "go-module", Package: "github.com/spf13/cobra", Below: "9.0.0"},
		{ID: "GHSA-nnnn-nnnn-nnnn", Aliases: []string{"CVE-2099-0005"}, Severity: "medium", Ecosystem: "npm", Package: "planted-npm", Below: "3.1.0", Fixed: true},
		{ID: "CVE-2099-0006", Severity: "high", Ecosystem: "rpm", Distro: "redhat", DistroVersion: "9", Package: "planted-rpm", Below: "0:4.0-1.el9", Fixed: true},
		{ID: "CVE-2099-0007", Severity: "unknown", Ecosystem: "python", Package: "planted-lock", Below: "1.1", Fixed: true},
	}
}

// scanner returns a scanner with the planted database imported.
func scanner(t *testing.T) *Scanner {
	t.Helper()
	s := New(Config{Dir: filepath.Join(t.TempDir(), "db")})
	file, err := testdb.Write(t.TempDir(), planted())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Import(t.Context(), file); err != nil {
		t.Fatal(err)
	}
	return s
}

func osRelease(id, version string) porttest.LayerEntry {
	body := fmt.Sprintf("ID=%s\nVERSION_ID=%q\nNAME=%s\nPRETTY_NAME=\"%s %s\"\n", id, version, id, id, version)
	if id == "debian" && version == "12" {
		body += "VERSION_CODENAME=bookworm\n"
	}
	return porttest.LayerEntry{Name: "etc/os-release", Body: body}
}

const dpkgStatus = `Package: libplanted
Status: install ok installed
Priority: optional
Section: libs
Maintainer: Nobody <nobody@example.com>
Architecture: amd64
Version: 1.9-3
Description: a package with a weakness

Package: base-files
Status: install ok installed
Maintainer: Nobody <nobody@example.com>
Architecture: amd64
Version: 12.4
Description: a package without

`

const apkInstalled = `C:Q1pSfVeZgeoqgQNfXMjGWWLqTmAyI=
P:planted-apk
V:1.4.9-r2
A:x86_64
S:100
I:200
T:a package with a weakness
U:https://example.com
L:MIT
o:planted-apk
m:Nobody <nobody@example.com>
t:1700000000

`

func debian() []porttest.LayerEntry {
	return []porttest.LayerEntry{osRelease("debian", "12"), {Name: "var/lib/dpkg/status", Body: dpkgStatus}}
}

func wheel(name, version string) porttest.LayerEntry {
	at := strings.ReplaceAll(name, "-", "_") + "-" + version + ".dist-info/METADATA"
	return porttest.LayerEntry{Name: "usr/local/lib/python3.11/site-packages/" + at, Body: "Metadata-Version: 2.1\nName: " + name + "\nVersion: " + version + "\n"}
}

// goProgram returns a real program whose build information names a vulnerable module.
func goProgram(t *testing.T) porttest.LayerEntry {
	t.Helper()
	out := filepath.Join(t.TempDir(), "program")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-ldflags=-s -w", "-o", out, "./testdata/program")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build the program: %v: %s", err, text)
	}
	raw, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return porttest.LayerEntry{Name: "app/server", Body: string(raw), Mode: 0o755}
}

const npmPackage = `{"name": "planted-npm", "version": "3.0.9", "license": "MIT"}`

const npmLock = `{"name": "app", "version": "1.0.0", "lockfileVersion": 3, "requires": true, "packages": {
 "": {"name": "app", "version": "1.0.0", "dependencies": {"planted-npm": "3.0.9"}},
 "node_modules/planted-npm": {"version": "3.0.9", "resolved": "https://registry.example.com/planted-npm-3.0.9.tgz", "integrity": "sha512-AAAA", "license": "MIT"}}}`

// rpmDatabase returns an rpm database in SQLite with one package, planted-rpm
// 3.9-2.el9.
func rpmDatabase(t *testing.T) porttest.LayerEntry {
	t.Helper()
	path := filepath.Join(t.TempDir(), "rpmdb.sqlite")
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), "CREATE TABLE Packages (hnum INTEGER PRIMARY KEY AUTOINCREMENT, blob BLOB NOT NULL)"); err != nil {
		t.Fatal(err)
	}
	header := rpmHeader("planted-rpm", "3.9", "2.el9", "x86_64", "planted-rpm-3.9-2.el9.src.rpm")
	if _, err := db.ExecContext(t.Context(), "INSERT INTO Packages (blob) VALUES (?)", header); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return porttest.LayerEntry{Name: "var/lib/rpm/rpmdb.sqlite", Body: string(raw)}
}

// rpmHeader returns a package's header: the numbers of entries and bytes, an index
// of (tag, type, offset, count), and the texts.
func rpmHeader(name, version, release, arch, source string) []byte {
	const text = 6
	var index, data []byte
	tags := []uint32{1000, 1001, 1002, 1022, 1044}
	for i, value := range []string{name, version, release, arch, source} {
		for _, n := range []uint32{tags[i], text, uint32(len(data)), 1} {
			index = binary.BigEndian.AppendUint32(index, n)
		}
		data = append(append(data, value...), 0)
	}
	out := binary.BigEndian.AppendUint32(nil, uint32(len(tags)))
	out = binary.BigEndian.AppendUint32(out, uint32(len(data)))
	return append(append(out, index...), data...)
}

// scanRequest returns the request for an image of the layers.
func scanRequest(t *testing.T, layers ...[]porttest.LayerEntry) port.ScanRequest {
	t.Helper()
	built := porttest.WriteLayout(t, t.TempDir(), port.ImageConfig{}, layers...)
	return port.ScanRequest{Layout: built.Layout, Image: delivery.Image{Repository: "mlops/retail-api", Digest: built.Digest}}
}

// TestScan_FindsPlantedVulnerabilities is the reason for this package: some way of
// calling the libraries misses each of these without an error.
func TestScan_FindsPlantedVulnerabilities(t *testing.T) {
	s := scanner(t)
	harmless := []porttest.LayerEntry{{Name: "app/readme", Body: "x"}}
	for name, c := range map[string]struct {
		layers [][]porttest.LayerEntry
		id     string
		alias  string
		where  string
		kind   string
	}{
		"deb in the base layer":      {[][]porttest.LayerEntry{debian(), harmless}, "CVE-2099-0001", "", "/var/lib/dpkg/status", "deb"},
		"apk in the base layer":      {[][]porttest.LayerEntry{{osRelease("alpine", "3.20.1"), {Name: "lib/apk/db/installed", Body: apkInstalled}}, harmless}, "CVE-2099-0002", "", "/lib/apk/db/installed", "apk"},
		"rpm in the base layer":      {[][]porttest.LayerEntry{{osRelease("rhel", "9.4"), rpmDatabase(t)}, harmless}, "CVE-2099-0006", "", "/var/lib/rpm/rpmdb.sqlite", "rpm"},
		"wheel in an upper layer":    {[][]porttest.LayerEntry{debian(), harmless, {wheel("planted-wheel", "1.2.3")}}, "CVE-2099-0003", "GHSA-pppp-pppp-pppp", "site-packages/planted_wheel-1.2.3.dist-info/METADATA", "python"},
		"requirements in a layer":    {[][]porttest.LayerEntry{debian(), {{Name: "app/requirements.txt", Body: "planted-wheel==1.2.3\n"}}}, "CVE-2099-0003", "GHSA-pppp-pppp-pppp", "/app/requirements.txt", "python"},
		"Go binary":                  {[][]porttest.LayerEntry{{goProgram(t)}}, "CVE-2099-0004", "GHSA-gggg-gggg-gggg", "/app/server", "go"},
		"npm package in a layer":     {[][]porttest.LayerEntry{debian(), {{Name: "app/node_modules/planted-npm/package.json", Body: npmPackage}}}, "CVE-2099-0005", "GHSA-nnnn-nnnn-nnnn", "/app/node_modules/planted-npm/package.json", "npm"},
		"npm lock file in a layer":   {[][]porttest.LayerEntry{debian(), {{Name: "app/package-lock.json", Body: npmLock}}}, "CVE-2099-0005", "GHSA-nnnn-nnnn-nnnn", "/app/package-lock.json", "npm"},
		"wheel without distribution": {[][]porttest.LayerEntry{{wheel("planted-wheel", "1.2.3")}}, "CVE-2099-0003", "", "METADATA", "python"},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := s.Scan(t.Context(), scanRequest(t, c.layers...))
			if err != nil {
				t.Fatal(err)
			}
			var found *delivery.Finding
			for i, f := range r.Findings {
				if f.ID == c.id {
					found = &r.Findings[i]
				}
			}
			if found == nil {
				t.Fatalf("the report does not list %s: %+v", c.id, r)
			}
			if c.alias != "" && !found.HasID(c.alias) {
				t.Errorf("aliases %v do not contain %s", found.Aliases, c.alias)
			}
			if !strings.Contains(found.Path, c.where) {
				t.Errorf("path %q does not contain %q", found.Path, c.where)
			}
			if found.Type != c.kind {
				t.Errorf("type of the package = %q, want %q", found.Type, c.kind)
			}
			if !found.Layer.Valid() {
				t.Errorf("invalid digest of the layer: %q", found.Layer)
			}
			if len(r.Gaps) > 0 {
				t.Errorf("gaps %+v, want none", r.Gaps)
			}
			if r.Packages[c.kind] == 0 {
				t.Errorf("packages %v include none of %s", r.Packages, c.kind)
			}
			if age := time.Since(r.Database); age > time.Hour {
				t.Errorf("the database is %s old, want 1h at most", age)
			}
		})
	}
}
