package record

import (
	"context"

	"github.com/slipway-cd/slipway/internal/delivery"
)

// Maintenance is what is done with shared records as a whole: those of all projects in
// one log.
type Maintenance interface {
	// Import brings the records in a file of one machine into the log, which has to be
	// empty: all of them, or none. The file stays as it is. A log with entries, and a file
	// with an unfinished run, are fault.Conflict.
	Import(ctx context.Context, path string) (Imported, error)
	// Export writes the records as they are now to a new file, as one machine has it.
	Export(ctx context.Context, path string) error
	// Digests returns every digest that the records of any project name, wherever it is,
	// but for those of ended runs and their steps: what one of them stands for may be
	// needed.
	Digests(ctx context.Context) (map[delivery.Digest]bool, error)
}

// LogVerification is what the verification of a log found.
type LogVerification struct {
	First     int64   // number of the first entry: those before it were removed
	Last      int64   // number of the newest entry that could be applied
	Snapshots []int64 // those that are what the entries before them come to
	Problems  []error // none: the log is sound
}

// Imported counts what Maintenance.Import brought into the log.
type Imported struct {
	Rows int
	Runs int
}
