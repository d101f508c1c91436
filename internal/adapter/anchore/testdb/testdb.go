// Package testdb writes small vulnerability databases in grype's format, with
// invented content, for tests.
package testdb

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	v6 "github.com/anchore/grype/grype/db/v6"
)

// writerCacheKiB limits the memory of the database's cache while it is written. The
// library's default is 1 GiB.
const writerCacheKiB = 4096

// Vulnerability is one entry of a database.
type Vulnerability struct {
	ID       string
	Aliases  []string
	Severity string // critical | high | medium | low | negligible | unknown
	// Ecosystem is deb, apk, rpm, python, go-module, npm or java-archive.
	Ecosystem string
	// Distro and DistroVersion name the distribution, such as debian and 12; empty for
	// packages of a language. An image with a code name in its /etc/os-release
	// (bookworm) is covered only by a database that has the code name too.
	Distro, DistroVersion, Codename string

	Package string
	Below   string // versions below this are vulnerable
	Fixed   bool   // whether Below fixes it
}

// Write writes a database to the existing folder dir, and returns the path of its file.
func Write(dir string, all []Vulnerability) (string, error) {
	w, err := v6.NewWriter(v6.Config{DBDirPath: dir, CacheSizeKiB: writerCacheKiB})
	if err != nil {
		return "", fmt.Errorf("begin a database: %w", err)
	}
	for _, v := range all {
		if err := addVulnerability(w, v); err != nil {
			_ = w.Close()
			return "", fmt.Errorf("write %s: %w", v.ID, err)
		}
	}
	if err := w.Close(); err != nil {
		return "", fmt.Errorf("end the database: %w", err)
	}
	file := filepath.Join(dir, v6.VulnerabilityDBFileName)
	_, err = os.Stat(file)
	return file, err
}

func addVulnerability(w v6.ReadWriter, v Vulnerability) error {
	provider := "planted"
	if v.Distro != "" {
		provider = v.Distro
	}
	seen := time.Unix(1_700_000_000, 0).UTC()
	handle := &v6.VulnerabilityHandle{
		Name: v.ID, Status: v6.VulnerabilityActive, ProviderID: provider,
		Provider: &v6.Provider{ID: provider, Version: "1", Processor: "plant", DateCaptured: &seen},
		BlobValue: &v6.VulnerabilityBlob{
			ID: v.ID, Aliases: v.Aliases, Description: "A planted weakness of " + v.Package + ". It is not installed anywhere.",
			References: []v6.Reference{{URL: "https://example.com/" + v.ID}},
			Severities: []v6.Severity{{Scheme: v6.SeveritySchemeHML, Value: v.Severity, Rank: 1}},
		},
	}
	if err := w.AddVulnerabilities(handle); err != nil {
		return err
	}
	fix := &v6.Fix{State: v6.NotFixedStatus}
	if v.Fixed {
		fix = &v6.Fix{Version: v.Below, State: v6.FixedStatus}
	}
	affected := &v6.AffectedPackageHandle{
		VulnerabilityID: handle.ID, Vulnerability: handle,
		Package: &v6.Package{Name: v.Package, Ecosystem: v.Ecosystem},
		BlobValue: &v6.PackageBlob{
			Ranges: []v6.Range{{Version: v6.Version{Type: versionFormat(v.Ecosystem), Constraint: "< " + v.Below}, Fix: fix}},
		},
	}
	if v.Distro != "" {
		affected.OperatingSystem = operatingSystem(v)
	}
	return w.AddAffectedPackages(affected)
}

func operatingSystem(v Vulnerability) *v6.OperatingSystem {
	major, minor, _ := strings.Cut(v.DistroVersion, ".")
	return &v6.OperatingSystem{Name: v.Distro, ReleaseID: v.Distro, MajorVersion: major, MinorVersion: minor, Codename: v.Codename}
}

// versionFormat returns the format by which versions of the ecosystem are compared.
func versionFormat(ecosystem string) string {
	known := map[string]string{"deb": "dpkg", "apk": "apk", "rpm": "rpm", "python": "python", "go-module": "go", "npm": "semver", "java-archive": "maven"}
	if f, ok := known[ecosystem]; ok {
		return f
	}
	return "semver"
}
