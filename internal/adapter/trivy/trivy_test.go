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

// program is a stand-in for trivy: it writes the answer into the file that
// --output names, says log, and ends with the code.
type program struct {
	answer  string
	log     string
	code    int
	version string
}

func (p program) install(t *testing.T) *Scanner {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("the stand-in is a shell script")
	}
	dir := t.TempDir()
	if p.version == "" {
		p.version = version
	}
	for name, text := range map[string]string{"answer": p.answer, "log": p.log, "version": p.version} {
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

// answer has the shape of Trivy's reports.
func answer(img port.BuiltImage, os string, results ...string) string {
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

func planted() string {
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
	return all[0].config
}

func TestScanner(t *testing.T) {
	porttest.TestScanner(t, func(t *testing.T, w porttest.ScanFixture) port.Scanner {
		switch w.Case {
		case porttest.ScanPlanted:
			return program{answer: answer(w.Image, debian, osResult(basePkg+","+plantedPkg, planted()))}.install(t)
		case porttest.ScanClean:
			return program{answer: answer(w.Image, debian, osResult(basePkg))}.install(t)
		case porttest.ScanUnknown:
			return program{answer: answer(w.Image, `"OS": {"Family": "none", "Name": ""},`, osResult(basePkg)), log: "WARN OS is not detected.\n"}.install(t)
		case porttest.ScanEmpty:
			return program{answer: answer(w.Image, "")}.install(t)
		}
		return program{code: 1, log: "FATAL Fatal error init error: DB error: failed to download vulnerability DB\n"}.install(t)
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

// TestGaps holds that what ends with 0 and finds nothing is not passed.
func TestGaps(t *testing.T) {
	img := image(t)
	lang := `{"Target": "Python", "Class": "lang-pkgs", "Type": "python-pkg", "Packages": [{"Name": "a"}]}`
	for name, c := range map[string]struct {
		p    program
		says string
	}{
		"a distribution that nobody knows":     {program{answer: answer(img, `"OS": {"Family": "slackware", "Name": "15"},`, osResult(basePkg))}, "trivy does not support slackware 15"},
		"a distribution without packages":      {program{answer: answer(img, debian, lang)}, "no readable package database"},
		"the database has nothing of it":       {program{answer: answer(img, debian, osResult(basePkg)), log: "WARN This OS version is not on the EOL list\n"}, "not on the eol list"},
		"it says that it can't":                {program{answer: answer(img, debian, osResult(basePkg)), log: "WARN Unsupported os family\n"}, "unsupported os"},
		"packages of no distribution":          {program{answer: answer(img, "", osResult(basePkg))}, "unknown distribution"},
		"nothing but what it does not look at": {program{answer: answer(img, "", `{"Target": "x", "Class": "secret"}`)}, "no packages found in the image"},
	} {
		r, err := scan(t, c.p.install(t), img)
		if err != nil || len(r.Gaps) == 0 || !strings.Contains(r.Gaps[0].What, c.says) {
			t.Errorf("%s: %+v, %v", name, r.Gaps, err)
		}
	}
	r, err := scan(t, program{answer: answer(img, "", lang)}.install(t), img)
	if err != nil || len(r.Gaps) != 0 || r.Packages["python"] != 1 {
		t.Errorf("a language without a distribution: %+v, %v", r, err)
	}
	r, err = scan(t, program{answer: answer(img, `"OS": {"Family": "debian", "Name": "8", "EOSL": true},`, osResult(basePkg))}.install(t), img)
	if err != nil || len(r.Notes) != 1 {
		t.Errorf("the end of a distribution: %+v, %v", r, err)
	}
}

func TestWhatCanNotBeAsked(t *testing.T) {
	img := image(t)
	for name, c := range map[string]struct {
		s    *Scanner
		says string
	}{
		"not installed":      {New(Config{Program: filepath.Join(t.TempDir(), "trivy")}), "trivy is not installed"},
		"no database":        {program{code: 1, log: "FATAL --skip-db-update cannot be specified on the first run"}.install(t), "trivy has no vulnerability database"},
		"it fails":           {program{code: 2, log: "panic: oh"}.install(t), "exit status 2: panic: oh"},
		"it writes nothing":  {program{}.install(t), "exited successfully without writing a report"},
		"no JSON":            {program{answer: "oh"}.install(t), "not a valid report"},
		"another form":       {program{answer: `{"SchemaVersion": 3}`}.install(t), "unsupported report schema 3"},
		"not on an image":    {program{answer: `{"SchemaVersion": 2, "ArtifactType": "filesystem"}`}.install(t), "not on an image"},
		"on another image":   {program{answer: strings.Replace(answer(img, debian), string(configOf(img)), "sha256:0", 1)}.install(t), `the report is on image "sha256:0"`},
		"a nameless finding": {program{answer: answer(img, debian, osResult(basePkg, `{"Severity": "HIGH"}`))}.install(t), "vulnerability 0 has no name"},
	} {
		r, err := scan(t, c.s, img)
		if !fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), c.says) || fault.HintOf(err) == "" {
			t.Errorf("%s: %+v, %v (hint %q)", name, r, err, fault.HintOf(err))
		}
	}
}

// TestNothingHidesFindings holds that neither the user's settings nor the
// repository's files reach the program, and that it sees one image only.
func TestNothingHidesFindings(t *testing.T) {
	img := image(t)
	s := program{answer: answer(img, debian, osResult(basePkg))}.install(t)
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
		t.Errorf("%+v, %v", index, err)
	}
}

func TestEveryPlatformIsLookedAt(t *testing.T) {
	both := porttest.WriteIndex(t, t.TempDir(), image(t), porttest.WriteLayout(t, t.TempDir(), port.ImageConfig{}, []porttest.LayerEntry{{Name: "y", Body: "z"}}))
	found, err := images(both.Layout, both.Digest)
	if err != nil || len(found) != 2 || found[0].config == found[1].config {
		t.Errorf("%+v, %v", found, err)
	}
	if _, err := scan(t, program{answer: answer(both, debian, osResult(basePkg))}.install(t), both); !fault.Is(err, fault.Unavailable) {
		t.Errorf("a report on the first stood for the second: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(`{"SchemaVersion": 2, "ArtifactType": "container_image", "Results": [` + osResult(basePkg, planted()) + `]}`)
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
				t.Errorf("%+v", one)
			}
		}
	})
}
