package probe

import (
	"context"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/wait"
)

// How often it is looked whether a model was opened, and with what pause: a target
// may take a moment to notice.
const (
	modelUseAttempts = 10
	modelUseWait     = 100 * time.Millisecond
)

func (w Expectation) modelUse(ctx context.Context) (port.ModelUse, string) {
	if w.ModelUse == nil || w.Model == nil {
		return port.ModelUseUnknown, ""
	}
	return w.ModelUse(ctx)
}

// checkModelOpened requires that the release has opened its model. One that the target
// can't see is not passed.
func (w Expectation) checkModelOpened(ctx context.Context) (delivery.Verdict, string) {
	if w.Model == nil {
		return delivery.Failed, "the release has no model"
	}
	use, detail := w.modelUse(ctx)
	for range modelUseAttempts {
		if use != port.ModelNotOpened || wait.Sleep(ctx, modelUseWait) != nil {
			break
		}
		use, detail = w.modelUse(ctx)
	}
	switch use {
	case port.ModelOpened:
		return delivery.Passed, detail
	case port.ModelNotOpened:
		return delivery.Failed, detail + ": its responses do not come from model " + w.Model.String()
	}
	return delivery.Unavailable, "this target can't see whether the model is opened"
}

// describeModelUse is the part of a health gate's evidence about the model. What a
// service names proves nothing: it may repeat an environment variable.
func (w Expectation) describeModelUse(ctx context.Context) string {
	if w.Model == nil {
		return ""
	}
	switch use, detail := w.modelUse(ctx); use {
	case port.ModelOpened, port.ModelNotOpened:
		return "; " + detail
	}
	return "; model: unknown whether it was opened"
}
