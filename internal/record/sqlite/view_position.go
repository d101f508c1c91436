package sqlite

import (
	"context"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/record/statelog"
)

// checkPosition finds out, once for each handle, whether the log still has the entry that
// the view is at. A log that was rolled back looks, to whoever only reads on, like one
// without anything new; and what would be added to it no other machine could read.
func (d *database) checkPosition(ctx context.Context, at statelog.Position) error {
	d.view.mu.Lock()
	checked := d.view.checked
	d.view.mu.Unlock()
	if checked || at.N == 0 {
		return nil
	}
	found, err := d.view.log.DigestAt(ctx, at.N)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return err
	}
	if found != at.Digest {
		return fault.New(fault.Corrupt, "entry %d of the shared state was lost or changed since this machine saw it: the state was rolled back or replaced", at.N).
			Hint("restore its objects from older versions or a backup; if it is to stay as it is, remove this machine's view: %s*", d.path)
	}
	d.view.mu.Lock()
	d.view.checked = true
	d.view.mu.Unlock()
	return nil
}
