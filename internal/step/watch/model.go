package watch

import (
	"context"
	"fmt"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
)

const (
	modelGate = "watch: model"
	// modelPatience is how long an observation waits for the model registry, which is not
	// what users feel.
	modelPatience = 5 * time.Second
)

// observeModel ends the bake of a release whose model is not approved any more, wherever
// that was decided. A registry that does not respond delays the end of the bake only:
// what it says then counts.
func (w *watch) observeModel(ctx context.Context, o *observation, final bool) error {
	ref := w.request.Release.Model
	if ref == nil || w.Models == nil || w.params.Bake <= 0 || o.failure != "" {
		return nil
	}
	limited := ctx
	if !final {
		var cancel context.CancelFunc
		limited, cancel = context.WithTimeout(ctx, modelPatience)
		defer cancel()
	}
	m, err := w.Models.Get(limited, ref.Group, ref.Version)
	switch {
	case fault.Is(err, fault.NotFound) && !w.modelSeen:
		return nil // another machine registered it
	case fault.Is(err, fault.NotFound) || fault.Is(err, fault.Corrupt):
		o.refuse(fmt.Sprintf("model %s: %v", ref, err))
	case err != nil && !final:
		o.progress += "; the model registry does not respond"
	case err != nil:
		o.gate = modelGate
		return fmt.Errorf("read the approval of model %s: %w", ref, err)
	case m.Digest != ref.Digest:
		return nil // another version of that number, as above
	case m.Status == delivery.Rejected:
		o.refuse(fmt.Sprintf("model %s was rejected by %s%s", ref, m.DecidedBy, reasonSuffix(m.Why)))
	case m.Status != delivery.Approved:
		o.refuse(fmt.Sprintf("model %s is not approved any more (%s)", ref, m.Status))
	default:
		w.modelSeen = true
	}
	return nil
}

// refuse makes the observation the end of the bake.
func (o *observation) refuse(why string) {
	o.failure = why
	o.results = append(o.results, delivery.GateResult{Gate: modelGate, Verdict: delivery.Failed, Evidence: why})
}

func reasonSuffix(why string) string {
	if why == "" {
		return ""
	}
	return ": " + why
}
