package trivy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/ocilayout"
	"github.com/slipway-cd/slipway/internal/port"
)

// reportSchema is the supported version of the report schema.
const reportSchema = 2

// The parts of a report that are used. Unknown keys are ignored, since Trivy adds
// keys with its releases; known ones are required.
type (
	document struct {
		SchemaVersion int
		ArtifactType  string
		Metadata      struct {
			OS      *system
			ImageID string
		}
		Results []result
	}
	system struct {
		Family string
		Name   string
		EOSL   bool
	}
	result struct {
		Target          string
		Class           string
		Type            string
		Packages        []json.RawMessage
		Vulnerabilities []vulnerability
	}
	vulnerability struct {
		VulnerabilityID  string
		VendorIDs        []string
		PkgName          string
		PkgPath          string
		PkgIdentifier    struct{ PURL string }
		InstalledVersion string
		FixedVersion     string
		Severity         string
		Title            string
		PrimaryURL       string
		Layer            struct{ DiffID string }
		DataSource       *struct{ ID string }
	}
)

// The classes of results that contain packages.
const (
	classOS       = "os-pkgs"
	classLanguage = "lang-pkgs"
)

// parse decodes a report. Anything that could hide findings is an error.
func parse(raw []byte) (document, error) {
	var doc document
	d := json.NewDecoder(bytes.NewReader(raw))
	if err := d.Decode(&doc); err != nil {
		return doc, fmt.Errorf("not a valid report: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return doc, errors.New("unexpected data after the report")
	}
	switch {
	case doc.SchemaVersion != reportSchema:
		return doc, fmt.Errorf("unsupported report schema %d", doc.SchemaVersion)
	case doc.ArtifactType != "container_image":
		return doc, fmt.Errorf("the report is on a %q, not on an image", doc.ArtifactType)
	}
	for _, r := range doc.Results {
		for i, v := range r.Vulnerabilities {
			if v.VulnerabilityID == "" || v.PkgName == "" || v.InstalledVersion == "" {
				return doc, fmt.Errorf("%s: vulnerability %d has no name, package or version", r.Target, i)
			}
		}
	}
	return doc, nil
}

// checkImage returns an error if the report is on another image.
func (d document) checkImage(img ocilayout.Image) error {
	if d.Metadata.ImageID != string(img.Manifest.Config.Digest) {
		return fmt.Errorf("the report is on image %q, not on %s", d.Metadata.ImageID, img.Manifest.Config.Digest)
	}
	return nil
}

// add adds the findings and gaps to report.
func (d document) add(report *port.ScanReport, log string) {
	osPackages := 0
	for _, r := range d.Results {
		if r.Class != classOS && r.Class != classLanguage {
			continue
		}
		kind := ecosystem(r)
		if n := len(r.Packages); n > 0 {
			report.Packages[kind] += n
			if r.Class == classOS {
				osPackages += n
			}
		}
		for _, v := range r.Vulnerabilities {
			report.Findings = append(report.Findings, v.finding(kind, r))
		}
	}
	d.gaps(report, osPackages, log)
}

// gaps adds what the scan did not cover. Trivy exits with 0 in all these cases.
func (d document) gaps(report *port.ScanReport, osPackages int, log string) {
	add := func(hint, format string, args ...any) {
		report.Gaps = append(report.Gaps, port.ScanGap{What: fmt.Sprintf(format, args...), Hint: hint})
	}
	os := d.Metadata.OS
	if os == nil || os.Family == "" || os.Family == "none" {
		if osPackages > 0 || strings.Contains(strings.ToLower(log), "os is not detected") && len(report.Packages) == 0 {
			add("keep /etc/os-release in the image", "unknown distribution: vulnerabilities of its %d packages cannot be determined", osPackages)
		}
		return
	}
	report.Distribution = strings.TrimSpace(os.Family + " " + os.Name)
	switch {
	case !slices.Contains(supportedFamilies(), strings.ToLower(os.Family)) && !strings.HasPrefix(os.Family, "suse") && !strings.HasPrefix(os.Family, "opensuse"):
		add("use a base image of a distribution that trivy supports", "trivy does not support %s (%d packages)", report.Distribution, osPackages)
	case osPackages == 0:
		add("build on a base image that keeps its package database (/var/lib/dpkg, /lib/apk/db, /var/lib/rpm)",
			"the image is %s, but it has no readable package database", report.Distribution)
	}
	for _, sign := range []string{"unsupported os", "not on the eol list", "no vulnerability data"} {
		if strings.Contains(strings.ToLower(log), sign) {
			add("use a base image of a maintained distribution", "trivy reports for %s: %s", report.Distribution, sign)
		}
	}
	if os.EOSL {
		report.Notes = append(report.Notes, report.Distribution+" has reached end of life: new vulnerabilities are no longer published for it")
	}
}

// supportedFamilies returns the distributions that trivy has data for.
func supportedFamilies() []string {
	return []string{
		"alma", "almalinux", "alpine", "amazon", "azurelinux", "bottlerocket", "cbl-mariner", "centos", "chainguard", "coreos", "debian",
		"echo", "minimos", "oracle", "photon", "redhat", "rocky", "seal", "ubuntu", "wolfi",
	}
}

func (v vulnerability) finding(kind string, r result) delivery.Finding {
	f := delivery.Finding{
		ID: v.VulnerabilityID, Aliases: v.VendorIDs, Severity: delivery.ParseSeverity(v.Severity), Package: v.PkgName,
		Version: v.InstalledVersion, Type: kind, PURL: v.PkgIdentifier.PURL, Path: v.PkgPath, Title: v.Title, URL: v.PrimaryURL,
	}
	for _, version := range strings.Split(v.FixedVersion, ",") {
		if version = strings.TrimSpace(version); version != "" {
			f.FixedIn = append(f.FixedIn, version)
		}
	}
	if f.Path == "" && r.Class == classLanguage {
		f.Path = r.Target
	}
	if d := delivery.Digest(v.Layer.DiffID); d.Valid() {
		f.Layer = d
	}
	if v.DataSource != nil {
		f.Source = v.DataSource.ID
	}
	return f
}

// ecosystem returns the package type in the terms that all scanners share.
func ecosystem(r result) string {
	kinds := map[string]string{
		"alpine": "apk", "wolfi": "apk", "chainguard": "apk", "minimos": "apk",
		"debian": "deb", "ubuntu": "deb", "echo": "deb",
		"python-pkg": "python", "pip": "python", "pipenv": "python", "poetry": "python", "uv": "python", "conda-pkg": "python",
		"gobinary": "go", "gomod": "go", "node-pkg": "npm", "npm": "npm", "yarn": "npm", "pnpm": "npm",
		"jar": "java", "pom": "java", "gradle": "java", "rustbinary": "rust", "cargo": "rust",
		"gemspec": "ruby", "bundler": "ruby", "composer": "php",
	}
	if kind, ok := kinds[r.Type]; ok {
		return kind
	}
	if r.Class == classOS {
		return "rpm"
	}
	return r.Type
}

// readVersion parses `trivy version --format json`.
func readVersion(raw []byte, report *port.ScanReport) error {
	var v struct {
		Version         string
		VulnerabilityDB *struct{ UpdatedAt time.Time }
	}
	if err := json.Unmarshal(raw, &v); err != nil {
		return fmt.Errorf("read the version of trivy: %w", err)
	}
	if v.Version != "" {
		report.Scanner += " " + v.Version
	}
	if v.VulnerabilityDB != nil {
		report.Database = v.VulnerabilityDB.UpdatedAt.UTC()
	}
	return nil
}
