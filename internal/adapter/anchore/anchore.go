// Package anchore looks into images with syft and grype, as libraries: what an
// image is made of, and which known vulnerabilities that has. Neither of them
// prints, and nothing here calls out but Update.
package anchore

import (
	"context"
	"sync"
	"time"

	"github.com/anchore/syft/syft"
	"github.com/anchore/syft/syft/cataloging"

	"github.com/slipway-cd/slipway/internal/port"
)

// The environment variables that say where the database is, and where it comes
// from.
const (
	DatabaseDirVariable = "SLIPWAY_SCAN_DB"
	DatabaseURLVariable = "SLIPWAY_SCAN_DB_URL"
)

// Config of a Scanner.
type Config struct {
	Dir string // absolute folder of the database; several Slipways may share it
	// AmongOthers reports that Dir is in a folder that all users write to: it is used only
	// if it is this user's alone.
	AmongOthers bool

	URL string           // where databases are listed; default: grype's own
	Now func() time.Time // default time.Now

	Archives port.ScanArchives // of databases that other machines downloaded; nil: none
}

// Scanner fulfils port.Scanner, port.ScanDatabase and port.SBOMGenerator. Nothing is
// opened before it is needed.
type Scanner struct {
	c        Config
	verified verifiedDatabase
	licenses func() (context.Context, error) // a context that holds the reader of licences: it takes a second to make
}

var (
	_ port.Scanner       = (*Scanner)(nil)
	_ port.ScanDatabase  = (*Scanner)(nil)
	_ port.SBOMGenerator = (*Scanner)(nil)
)

// New makes a Scanner.
func New(c Config) *Scanner {
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Scanner{c: c, licenses: sync.OnceValues(func() (context.Context, error) {
		return syft.SetContextLicenseScanner(context.Background(), cataloging.DefaultLicenseConfig())
	})}
}
