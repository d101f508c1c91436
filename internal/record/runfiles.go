package record

import (
	"context"
	"io"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
)

// RunFile is what an owner of a run printed: the events, or the log of a step.
type RunFile struct {
	Run   delivery.RunID
	Epoch int64     // of the owner's claim
	Name  string    // as in the folder of the run: events.jsonl, test.unit.log
	Saved time.Time // by the store's clock
	Size  int64     // bytes that are stored: another size is another content
}

// RunFiles keep what runs print where other machines can read it. They may lag behind:
// nothing depends on them.
type RunFiles interface {
	// Save stores a file, in place of what the same owner saved under its name.
	Save(ctx context.Context, f RunFile, content io.Reader) error
	// List returns the files of a run, by epoch and name.
	List(ctx context.Context, run delivery.RunID) ([]RunFile, error)
	// Open returns the content, which the caller closes; fault.NotFound without one.
	Open(ctx context.Context, f RunFile) (io.ReadCloser, error)
}
