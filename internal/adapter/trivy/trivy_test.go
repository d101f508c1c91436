package trivy

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest"
)

const version = `{"Version": "0.66.0", "VulnerabilityDB": {"Version": 2, "NextUpdate": "2026-01-03T00:00:00Z", "UpdatedAt": "2026-01-02T00:00:00Z", "DownloadedAt": "2026-01-02T03:00:00Z"}}`

// fakeTrivy is a script that writes the report to the file of --output, writes
// log, and exits with code.
type fakeTrivy struct {
	report  string
	log     string
	code    int
	version string
}

func (p fakeTrivy) install(t *testing.T) *Scanner {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("the stand-in is a shell script")
	}
	dir := t.TempDir()
	if p.version == "" {
		p.version = version
	}
	for name, text := range map[string]string{"answer": p.report, "log": p.log, "version": p.version} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	script := fmt.Sprintf(`#!/bin/sh
here=%q
printf '%%s\n' "$@" >> "$here/arguments"
env > "$here/environment"
ls -a >> "$here/folder"
if [ "$1" = version ]; then cat "$here/version"; exit 0; fi
cat "$here/log" >&2
while [ $# -gt 0 ]; do
  if [ "$1" = --output ] && [ -s "$here/answer" ]; then cp "$here/answer" "$2"; fi
  if [ "$1" = --input ]; then cp "$2/index.json" "$here/index.json"; fi
  shift
done
exit %d
`, dir, p.code)
	path := filepath.Join(dir, "trivy")
	if err := os.WriteFile(path, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	return New(Config{Program: path, Environ: []string{"PATH=" + os.Getenv("PATH"), "TRIVY_SEVERITY=CRITICAL", "TRIVY_CACHE_DIR=/cache"}})
}

// reportOn returns a report in Trivy's format.
func reportOn(img port.BuiltImage, os string, results ...string) string {
	return fmt.Sprintf(`{"SchemaVersion": 2, "CreatedAt": "2026-01-02T03:04:05Z", "ArtifactName": "image", "ArtifactType": "container_image",
 "Metadata": {"Size": 1234, %s "ImageID": %q, "DiffIDs": ["sha256:%064d"]}, "Results": [%s]}`, os, configOf(img), 1, strings.Join(results, ","))
}

const (
	debian     = `"OS": {"Family": "debian", "Name": "12.4"},`
	basePkg    = `{"ID": "base-files@12.4", "Name": "base-files", "Version": "12.4"}`
	plantedPkg = `{"ID": "libplanted@1.9-3", "Name": "libplanted", "Version": "1.9-3"}`
)

func osResult(packages string, vulnerabilities ...string) string {
	return fmt.Sprintf(`{"Target": "image (debian 12.4)", "Class": "os-pkgs", "Type": "debian", "Packages": [%s], "Vulnerabilities": [%s]}`, packages, strings.Join(vulnerabilities, ","))
}

func plantedFinding() string {
	return fmt.Sprintf(`{"VulnerabilityID": "CVE-2099-0001", "PkgID": "libplanted@1.9-3", "PkgName": "libplanted",
 "PkgIdentifier": {"PURL": "pkg:deb/debian/libplanted@1.9-3?arch=amd64&distro=debian-12.4"}, "InstalledVersion": "1.9-3", "FixedVersion": "2.0-1",
 "Status": "fixed", "Layer": {"DiffID": "sha256:%064d"}, "SeveritySource": "debian", "PrimaryURL": "https://example.com/1",
 "DataSource": {"ID": "debian", "Name": "Debian Security Tracker"}, "Title": "made up", "Severity": "HIGH"}`, 1)
}

func configOf(img port.BuiltImage) delivery.Digest {
	all, err := images(img.Layout, img.Digest)
	if err != nil {
		return ""
	}
	return all[0].Manifest.Config.Digest
}

func TestScanner_Conformance(t *testing.T) {
	porttest.TestScanner(t, func(t *testing.T, w porttest.ScanFixture) port.Scanner {
		switch w.Case {
		case porttest.ScanPlanted:
			return fakeTrivy{report: reportOn(w.Image, debian, osResult(basePkg+","+plantedPkg, plantedFinding()))}.install(t)
		case porttest.ScanClean:
			return fakeTrivy{report: reportOn(w.Image, debian, osResult(basePkg))}.install(t)
		case porttest.ScanUnknown:
			return fakeTrivy{report: reportOn(w.Image, `"OS": {"Family": "none", "Name": ""},`, osResult(basePkg)), log: "WARN OS is not detected.\n"}.install(t)
		case porttest.ScanEmpty:
			return fakeTrivy{report: reportOn(w.Image, "")}.install(t)
		}
		return fakeTrivy{code: 1, log: "FATAL Fatal error init error: DB error: failed to download vulnerability DB\n"}.install(t)
	})
}

func image(t *testing.T) port.BuiltImage {
	t.Helper()
	return porttest.WriteLayout(t, t.TempDir(), port.ImageConfig{}, []porttest.LayerEntry{{Name: "x", Body: "y"}})
}

func scan(t *testing.T, s *Scanner, img port.BuiltImage) (port.ScanReport, error) {
	t.Helper()
	return s.Scan(t.Context(), port.ScanRequest{Layout: img.Layout, Image: delivery.Image{Repository: "a", Digest: img.Digest}})
}

// TestScan_ReportsGaps: a scan that exits with 0 and finds nothing has covered something.
func TestScan_ReportsGaps(t *testing.T) {
	img := image(t)
	lang := `{"Target": "Python", "Class": "lang-pkgs", "Type": "python-pkg", "Packages": [{"Name": "a"}]}`
	for name, c := range map[string]struct {
		p   fakeTrivy
		gap string
	}{
		"unsupported distribution":          {fakeTrivy{report: reportOn(img, `"OS": {"Family": "slackware", "Name": "15"},`, osResult(basePkg))}, "trivy does not support slackware 15"},
		"distribution without packages":     {fakeTrivy{report: reportOn(img, debian, lang)}, "no readable package database"},
		"distribution not in the database":  {fakeTrivy{report: reportOn(img, debian, osResult(basePkg)), log: "WARN This OS version is not on the EOL list\n"}, "not on the eol list"},
		"trivy logs that it is unsupported": {fakeTrivy{report: reportOn(img, debian, osResult(basePkg)), log: "WARN Unsupported os family\n"}, "unsupported os"},
		"packages without a distribution":   {fakeTrivy{report: reportOn(img, "", osResult(basePkg))}, "unknown distribution"},
		"nothing that trivy scans":          {fakeTrivy{report: reportOn(img, "", `{"Target": "x", "Class": "secret"}`)}, "no packages found in the image"},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := scan(t, c.p.install(t), img)
			if err != nil || len(r.Gaps) == 0 || !strings.Contains(r.Gaps[0].What, c.gap) {
				t.Errorf("gaps = %+v, %v; want %q first", r.Gaps, err, c.gap)
			}
		})
	}
	r, err := scan(t, fakeTrivy{report: reportOn(img, "", lang)}.install(t), img)
	if err != nil || len(r.Gaps) != 0 || r.Packages["python"] != 1 {
		t.Errorf("language packages without a distribution: gaps = %+v, packages = %v, %v; want no gap and one Python package", r.Gaps, r.Packages, err)
	}
	r, err = scan(t, fakeTrivy{report: reportOn(img, `"OS": {"Family": "debian", "Name": "8", "EOSL": true},`, osResult(basePkg))}.install(t), img)
	if err != nil || len(r.Notes) != 1 {
		t.Errorf("distribution at its end of life: notes = %q, %v; want one", r.Notes, err)
	}
}

func TestScan_Unavailable(t *testing.T) {
	img := image(t)
	for name, c := range map[string]struct {
		s    *Scanner
		text string // of the error
	}{
		"not installed":             {New(Config{Program: filepath.Join(t.TempDir(), "trivy")}), "trivy is not installed"},
		"no database":               {fakeTrivy{code: 1, log: "FATAL --skip-db-update cannot be specified on the first run"}.install(t), "trivy has no vulnerability database"},
		"non-zero exit status":      {fakeTrivy{code: 2, log: "panic: oh"}.install(t), "exit status 2: panic: oh"},
		"no report":                 {fakeTrivy{}.install(t), "exited successfully without writing a report"},
		"endless log":               {fakeTrivy{code: 2, log: strings.Repeat("noise\n", 1<<19) + "panic: oh"}.install(t), "panic: oh"},
		"no JSON":                   {fakeTrivy{report: "oh"}.install(t), "not a valid report"},
		"other schema":              {fakeTrivy{report: `{"SchemaVersion": 3}`}.install(t), "unsupported report schema 3"},
		"report not on an image":    {fakeTrivy{report: `{"SchemaVersion": 2, "ArtifactType": "filesystem"}`}.install(t), "not on an image"},
		"report on another image":   {fakeTrivy{report: strings.Replace(reportOn(img, debian), string(configOf(img)), "sha256:0", 1)}.install(t), `the report is on image "sha256:0"`},
		"finding without a package": {fakeTrivy{report: reportOn(img, debian, osResult(basePkg, `{"Severity": "HIGH"}`))}.install(t), "vulnerability 0 has no name"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := scan(t, c.s, img)
			if !fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), c.text) || fault.HintOf(err) == "" {
				t.Errorf("error = %v (hint %q), want %s with %q and a hint", err, fault.HintOf(err), fault.Unavailable, c.text)
			}
		})
	}
}

// TestScan_IgnoresUserSettings: neither the user's settings nor the repository's
// files reach the program, and it sees only one image.
func TestScan_IgnoresUserSettings(t *testing.T) {
	img := image(t)
	s := fakeTrivy{report: reportOn(img, debian, osResult(basePkg))}.install(t)
	if _, err := scan(t, s, img); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Dir(s.c.Program)
	read := func(name string) string {
		raw, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(raw)
	}
	if env := read("environment"); strings.Contains(env, "TRIVY_SEVERITY") || !strings.Contains(env, "TRIVY_CACHE_DIR=/cache") {
		t.Errorf("environment:\n%s", env)
	}
	if folder := read("folder"); strings.Contains(folder, ".trivyignore") || strings.Contains(folder, "go.mod") {
		t.Errorf("it ran in a folder with\n%s", folder)
	}
	var index struct {
		Manifests []struct{ Digest delivery.Digest }
	}
	if err := json.Unmarshal([]byte(read("index.json")), &index); err != nil || len(index.Manifests) != 1 || index.Manifests[0].Digest != img.Digest {
		t.Errorf("trivy got an index of %+v, %v; want only %s", index.Manifests, err, img.Digest)
	}
}

func TestScan_EveryPlatform(t *testing.T) {
	both := porttest.WriteIndex(t, t.TempDir(), image(t), porttest.WriteLayout(t, t.TempDir(), port.ImageConfig{}, []porttest.LayerEntry{{Name: "y", Body: "z"}}))
	found, err := images(both.Layout, both.Digest)
	if err != nil || len(found) != 2 || found[0].Manifest.Config.Digest == found[1].Manifest.Config.Digest {
		t.Errorf("images = %+v, %v; want two different ones", found, err)
	}
	if _, err := scan(t, fakeTrivy{report: reportOn(both, debian, osResult(basePkg))}.install(t), both); !fault.Is(err, fault.Unavailable) {
		t.Errorf("a report on the first stood for the second: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(`{"SchemaVersion": 2, "ArtifactType": "container_image", "Results": [` + osResult(basePkg, plantedFinding()) + `]}`)
	f.Add(`{"SchemaVersion": 2, "ArtifactType": "container_image", "Metadata": {"OS": null}, "Results": null}`)
	f.Fuzz(func(t *testing.T, raw string) {
		doc, err := parse([]byte(raw))
		if err != nil {
			return
		}
		r := port.ScanReport{Packages: map[string]int{}}
		doc.add(&r, raw)
		for _, one := range r.Findings {
			if one.ID == "" || one.Package == "" || one.Version == "" || one.Severity == "" {
				t.Errorf("report = %+v, want the finding of the last platform", one)
			}
		}
	})
}
