package rollback

import (
	"context"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// rollbackActor is recorded as who rejected a model that failed in production. It is
// stored.
const rollbackActor = "auto: rolled back"

// rejectModel rejects the model of a failed release in a registry that other tools read,
// with the reason, if nothing but the model came with it: what else differs may be to
// blame. What the registry refuses is logged: the quarantine keeps the release out.
func (u undo) rejectModel(ctx context.Context) {
	if _, shared := u.Models.(port.ModelStager); !shared || !u.hasCurrent {
		return
	}
	failed, err := u.Recorded(ctx, u.failed.Release)
	if err != nil || failed.Release.Model == nil {
		return
	}
	current, err := u.Recorded(ctx, u.current.Release)
	if err != nil || !onlyModelDiffers(failed.Release, current.Release) {
		return
	}
	_, err = u.Models.Decide(ctx, *failed.Release.Model, delivery.ModelDecision{
		Status: delivery.Rejected, By: delivery.Actor{Name: rollbackActor, Means: delivery.MeansAuto}, Why: u.reason(),
	})
	if err != nil && !fault.Is(err, fault.NotFound) {
		u.Request.Logf("model %s is not rejected in its registry: %v", failed.Release.Model, err)
	}
}

func onlyModelDiffers(a, b delivery.Release) bool {
	if b.Model != nil && *a.Model == *b.Model {
		return false
	}
	return a.Image.Digest == b.Image.Digest && a.Configuration().Digest() == b.Configuration().Digest()
}

// showStages shows in the registry what was rolled back, and what serves again.
func (u undo) showStages(ctx context.Context) {
	u.ShowStage(ctx, u.failed.Release, delivery.RolledBack, u.reason())
	if u.hasCurrent {
		u.ShowStage(ctx, u.current.Release, delivery.Serving, "")
	}
}
