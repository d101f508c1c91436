package port

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
)

// ScanRequest says what to look at.
type ScanRequest struct {
	Layout string         // absolute folder: the OCI layout that holds the image
	Image  delivery.Image // its manifest's digest; the repository only names it for people
	// CacheDir is an absolute folder for what does not change with the image: lists of
	// its packages, never a verdict. The next scan of the same image gets the same
	// folder. Empty: nothing is kept.
	CacheDir string
	// OnProgress is told, in a few words, what is being done; nil: nobody listens.
	OnProgress func(text string)
}

// ScanReport is what a scanner found, and what it looked at to say so.
type ScanReport struct {
	Scanner      string             `json:"scanner"`                // name and version: "grype 0.121.0"
	Database     time.Time          `json:"database,omitzero"`      // when its newest data were collected, UTC
	Distribution string             `json:"distribution,omitempty"` // "debian 12"; empty: none was recognised
	Packages     map[string]int     `json:"packages,omitempty"`     // how many were looked up, by ecosystem
	Findings     []delivery.Finding `json:"findings"`               // the worst first, then by name, package and place
	Gaps         []ScanGap          `json:"gaps,omitempty"`         // what nobody can vouch for
	Notes        []string           `json:"notes,omitempty"`        // what people may want to know, and no verdict depends on
}

// ScanGap is something in the image that could not be judged. A report that has
// one proves nothing by having no findings.
type ScanGap struct {
	What string `json:"what"`           // "the distribution is unknown, and 93 deb packages are there"
	Hint string `json:"hint,omitempty"` // what to do about it
}

// Scanner looks for known vulnerabilities in an image.
type Scanner interface {
	// Scan looks at every layer of the image, and at every package that it can
	// recognise: of the distribution, of languages, and inside of Go binaries. It
	// asks its database each time; only lists of packages may come from o.Keep.
	//
	// No finding and no gap means that all of it was looked up. What is there but
	// can't be looked up is a gap: packages of a distribution that is unknown or
	// that the database does not know, or an image in which nothing was recognised
	// at all. A scanner that could not be asked (not installed, no database, no
	// network) is an error of kind fault.Unavailable with a hint; an image that is
	// damaged is fault.Corrupt. How old the data may be is not the scanner's
	// affair: it says how old they are.
	//
	// The layout is read only, and the image goes nowhere. A scanner that works in
	// a registry may upload it to a repository of its own that nothing is deployed
	// from, under its digest and never under Image.Repository; it finds again what
	// it uploaded before, and waits for the result until ctx ends.
	//
	// Cancelling ctx ends it soon. Safe for concurrent use.
	Scan(ctx context.Context, o ScanRequest) (ScanReport, error)
}

// DedupeFindings makes one finding of those that say the same of the same package, and
// sorts them as a report has them. Of several, the worst severity counts.
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

// ScanDatabaseInfo describes a database of vulnerabilities on this machine.
type ScanDatabaseInfo struct {
	Scanner   string    `json:"scanner"`         // whose: "grype"
	Path      string    `json:"path"`            // where it is, or would be
	Schema    string    `json:"schema"`          // form of its data: "6.1.9"; empty: there is none
	BuiltAt   time.Time `json:"built,omitzero"`  // when its data were collected, UTC; zero: there is none
	CheckedAt time.Time `json:"asked,omitzero"`  // when its source was last asked for a newer one, whether or not it answered
	Source    string    `json:"from,omitempty"`  // where it came from
	Bytes     int64     `json:"bytes,omitempty"` // on disk
}

// ScanDatabase keeps a scanner's database of vulnerabilities. Whoever reads it
// meanwhile sees the old one or the new one, never a half of each.
type ScanDatabase interface {
	// Status describes what is there, without asking the network. None is no error:
	// Built is zero. A damaged one is fault.Corrupt.
	Status(ctx context.Context) (ScanDatabaseInfo, error)
	// Update downloads a newer one, if there is. changed is false when what is there
	// is the newest. A source that does not answer is fault.Unavailable.
	Update(ctx context.Context, p Progress) (d ScanDatabaseInfo, changed bool, err error)
	// Import installs the database from a file that was downloaded elsewhere. A file
	// that holds none, or one of another form, is fault.Invalid, and what was there
	// stays.
	Import(ctx context.Context, file string) (ScanDatabaseInfo, error)
}
