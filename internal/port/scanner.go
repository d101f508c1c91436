package port

import (
	"context"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
)

// ScanOrder says what to look at.
type ScanOrder struct {
	Layout string         // absolute folder: the OCI layout that holds the image
	Image  delivery.Image // its manifest's digest; the repository only names it for people
	// Keep is an absolute folder for what does not change with the image: lists of
	// its packages, never a verdict. The next scan of the same image gets the same
	// folder. Empty: nothing is kept.
	Keep string
	// Progress is told, in a few words, what is being done; nil: nobody listens.
	Progress func(text string)
}

// ScanReport is what a scanner found, and what it looked at to say so.
type ScanReport struct {
	Scanner      string             `json:"scanner"`                // name and version: "grype 0.121.0"
	Database     time.Time          `json:"database,omitzero"`      // when its newest data were collected, UTC
	Distribution string             `json:"distribution,omitempty"` // "debian 12"; empty: none was recognised
	Packages     map[string]int     `json:"packages,omitempty"`     // how many were looked up, by ecosystem
	Findings     []delivery.Finding `json:"findings"`               // the worst first, then by name, package and place
	Gaps         []ScanGap          `json:"gaps,omitempty"`         // what nobody can vouch for
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
	Scan(ctx context.Context, o ScanOrder) (ScanReport, error)
}

// ScanData describes a database of vulnerabilities on this machine.
type ScanData struct {
	Scanner string    `json:"scanner"`         // whose: "grype"
	Path    string    `json:"path"`            // where it is, or would be
	Schema  string    `json:"schema"`          // form of its data: "6.1.9"; empty: there is none
	Built   time.Time `json:"built,omitzero"`  // when its data were collected, UTC; zero: there is none
	From    string    `json:"from,omitempty"`  // where it came from
	Bytes   int64     `json:"bytes,omitempty"` // on disk
}

// ScanDatabase keeps a scanner's database of vulnerabilities. Whoever reads it
// meanwhile sees the old one or the new one, never a half of each.
type ScanDatabase interface {
	// Status describes what is there, without asking the network. None is no error:
	// Built is zero. A damaged one is fault.Corrupt.
	Status(ctx context.Context) (ScanData, error)
	// Update downloads a newer one, if there is. changed is false when what is there
	// is the newest. A source that does not answer is fault.Unavailable.
	Update(ctx context.Context, p Progress) (d ScanData, changed bool, err error)
	// Import installs the database from a file that was downloaded elsewhere. A file
	// that holds none, or one of another form, is fault.Invalid, and what was there
	// stays.
	Import(ctx context.Context, file string) (ScanData, error)
}
