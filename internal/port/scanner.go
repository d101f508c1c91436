package port

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
)

// ScanRequest is what to scan.
type ScanRequest struct {
	Layout string         // absolute folder: the OCI layout that holds the image
	Image  delivery.Image // its manifest's digest; the repository is only a name for people
	// CacheDir is an absolute folder for what does not change with the
	// vulnerability data, such as the image's list of packages; never a result.
	// The next scan of the same image gets the same folder. Empty: nothing is
	// cached.
	CacheDir string
	// CreateRepository: a scanner that works in a registry may create the repository
	// that it uploads to.
	CreateRepository bool
	// OnProgress receives short descriptions of what is being done; nil: none are
	// needed.
	OnProgress func(text string)
}

// ScanReport is the result of a scan: what was scanned, and what was found.
type ScanReport struct {
	Scanner      string             `json:"scanner"`                // name and version: "grype 0.121.0"
	Database     time.Time          `json:"database,omitzero"`      // time of its newest data, UTC
	Distribution string             `json:"distribution,omitempty"` // "debian 12"; empty: not recognized
	Packages     map[string]int     `json:"packages,omitempty"`     // number of packages looked up, by ecosystem; nil: the scanner does not tell, and a note says so
	Findings     []delivery.Finding `json:"findings"`               // the most severe first, then by name, package and path
	Gaps         []ScanGap          `json:"gaps,omitempty"`         // what could not be checked
	Notes        []string           `json:"notes,omitempty"`        // further information, without influence on the outcome
}

// ScanGap is something in the image that could not be checked. With a gap, a
// report without findings proves nothing.
type ScanGap struct {
	What string `json:"what"`           // "the distribution is unknown, and 93 deb packages are there"
	Hint string `json:"hint,omitempty"` // how to close it
}

// Scanner finds known vulnerabilities in an image.
type Scanner interface {
	// Scan examines every layer of the image and every package that it
	// recognizes: those of the distribution, of languages, and inside of Go
	// binaries. It queries its database each time; only lists of packages may
	// come from req.CacheDir.
	//
	// No finding and no gap means that all of it was looked up. What is there but
	// cannot be looked up is a gap: packages of a distribution that is unknown or
	// missing in the database, or an image in which nothing was recognized at
	// all. A scanner that cannot be used (not installed, no database, no network)
	// is fault.Unavailable with a hint; a damaged image is fault.Corrupt. The
	// scanner reports the age of its data and does not judge it.
	//
	// The layout is only read. A scanner that works in a registry may upload the image
	// there, under its digest and without a tag: no name leads to it before it has
	// passed. It finds again what it uploaded before, and waits for the result until ctx
	// ends, or as long as it says.
	//
	// It returns soon after ctx has ended. Safe for concurrent use.
	Scan(ctx context.Context, req ScanRequest) (ScanReport, error)
}

// DedupeFindings merges findings that report the same of the same package, and
// sorts them as in a report. The most severe of them counts.
func DedupeFindings(all []delivery.Finding) []delivery.Finding {
	type same struct{ id, kind, name, version string }
	known := map[same]int{}
	out := make([]delivery.Finding, 0, len(all))
	for _, f := range all {
		key := same{f.ID, f.Type, f.Package, f.Version}
		i, twice := known[key]
		if !twice {
			known[key] = len(out)
			out = append(out, f)
			continue
		}
		out[i] = merged(out[i], f)
	}
	slices.SortStableFunc(out, compare)
	return out
}

func merged(a, b delivery.Finding) delivery.Finding {
	if b.Severity.WorseThan(a.Severity) {
		a.Severity, a.Source, a.URL = b.Severity, b.Source, b.URL
	}
	a.Aliases = union(a.Aliases, b.Aliases)
	a.FixedIn = union(a.FixedIn, b.FixedIn)
	if a.Path == "" || b.Path != "" && b.Path < a.Path {
		a.Path, a.Layer = b.Path, b.Layer
	}
	return a
}

func union(a, b []string) []string {
	if len(a)+len(b) == 0 {
		return nil
	}
	out := slices.Concat(a, b)
	slices.Sort(out)
	return slices.Compact(out)
}

func compare(a, b delivery.Finding) int {
	switch {
	case a.Severity.WorseThan(b.Severity):
		return -1
	case b.Severity.WorseThan(a.Severity):
		return 1
	}
	return cmp.Or(cmp.Compare(a.ID, b.ID), cmp.Compare(a.Package, b.Package), cmp.Compare(a.Version, b.Version), cmp.Compare(a.Path, b.Path))
}

// ScanDatabaseInfo describes a vulnerability database on this machine.
type ScanDatabaseInfo struct {
	Scanner   string    `json:"scanner"`         // the scanner that reads it: "grype"
	Path      string    `json:"path"`            // its path, also if there is none yet
	Schema    string    `json:"schema"`          // version of its format: "6.1.9"; empty: there is none
	BuiltAt   time.Time `json:"built,omitzero"`  // time of its data, UTC; zero: there is none
	CheckedAt time.Time `json:"asked,omitzero"`  // when its source was last checked for a newer one, with or without a response
	Source    string    `json:"from,omitempty"`  // where it came from
	Bytes     int64     `json:"bytes,omitempty"` // on disk
}

// ScanDatabase keeps a scanner's vulnerability database. A concurrent reader gets
// the old one or the new one, never a mix.
type ScanDatabase interface {
	// Status describes the database, without using the network. If there is none,
	// BuiltAt is zero. A damaged one is fault.Corrupt.
	Status(ctx context.Context) (ScanDatabaseInfo, error)
	// Update downloads a newer database if there is one. changed is false if the
	// present one is the newest. A source that does not respond is
	// fault.Unavailable.
	Update(ctx context.Context, p Progress) (d ScanDatabaseInfo, changed bool, err error)
	// Import installs the database from a file that was downloaded elsewhere. A
	// file without one, or with one of another format, is fault.Invalid, and the
	// present one stays.
	Import(ctx context.Context, file string) (ScanDatabaseInfo, error)
}
