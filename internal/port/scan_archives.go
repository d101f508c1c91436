package port

import (
	"context"
	"time"
)

// ScanArchive is the file that a scanner's vulnerability database was made of.
type ScanArchive struct {
	Name    string    `json:"name"`           // of the file, without a folder: its ending is its format
	Source  string    `json:"from,omitempty"` // where it was downloaded
	BuiltAt time.Time `json:"built"`          // time of its data, UTC
	Blob    Blob      `json:"blob"`
}

// ScanArchives are what machines share of the databases that they have downloaded, so
// that an empty one does not download them again. A format names a scanner and the
// version of the database that it reads: "grype-v6". Safe for concurrent use.
type ScanArchives interface {
	// Newest returns the archive of that format that was saved last; ok is false without
	// one.
	Newest(ctx context.Context, format string) (a ScanArchive, ok bool, err error)
	// Save stores the file. a.Blob is filled in by it.
	Save(ctx context.Context, format string, a ScanArchive, file string) error
	// Fetch writes the archive to a file, whose content is what was saved.
	Fetch(ctx context.Context, a ScanArchive, file string) error
}
