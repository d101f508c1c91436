package rollback

import (
	"context"
	"fmt"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
)

// checkModel refuses a release whose model was rejected, maybe after it had been
// approved and deployed. A model that is not known here, from another machine, is no
// obstacle: a rollback needs no registry. Once it has begun it goes on.
//
// The undo of a deployment is not checked: it returns to what was deployed a moment
// ago; refusing it would leave the failed release in place.
func (f forward) checkModel(ctx context.Context, resumed bool) error {
	ref := f.rel.Release.Model
	if ref == nil || f.Models == nil || resumed {
		return nil
	}
	m, err := f.Models.Get(ctx, ref.Group, ref.Version)
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the approval of model %s: %w", ref, err)
	}
	if m.Digest != ref.Digest || m.Status != delivery.Rejected {
		return nil
	}
	return fault.New(fault.Denied, "roll back to %s: its model %s was rejected by %s: %s", f.rel.ID, ref, m.DecidedBy, m.Why).
		Hint("choose another release, or approve the model again: slipway approve %s --why REASON", ref)
}
