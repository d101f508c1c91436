package rollout

import (
	"context"
	"fmt"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/step"
)

// WayBack returns what a failure of the request returns to: the current deployment, as the
// records have it. One that is known from an unsigned history only has to be what runs
// there, to the last field; otherwise whoever wrote that history would choose what a
// failed deployment leaves behind. A run that goes on has confirmed that before it changed
// anything.
func (s Session) WayBack(ctx context.Context, o port.DeployRequest, current delivery.Deployment, resumed bool) (*port.CurrentRelease, error) {
	if current.Release == "" {
		return nil, nil //nolint:nilnil // nothing is deployed
	}
	rel, err := s.Recorded(ctx, current.Release)
	if err != nil {
		return nil, err
	}
	back := s.RequestFor(rel, current.Config)
	found := &port.CurrentRelease{ID: back.ID, Release: back.Release}
	if !current.Unsigned && !rel.Unsigned || back.ID == o.ID || resumed {
		return found, nil
	}
	confirmer, ok := s.Target.(port.LiveConfirmer)
	if !ok {
		return nil, step.UnsignedWayBackError(back.ID, s.Request.Environment, "this target can't compare")
	}
	differences, err := confirmer.ConfirmLive(ctx, back)
	if err != nil {
		return nil, fmt.Errorf("compare %s with its record: %w", s.Request.Environment, err)
	}
	if len(differences) > 0 {
		return nil, step.UnsignedWayBackError(back.ID, s.Request.Environment, differences[0].String())
	}
	s.Request.Logf("%s is known from an unsigned history, and is what runs in %s: a failure returns to it", back.ID, s.Request.Environment)
	return found, nil
}

// RequireWayBack requires that the image of the current deployment can be pulled, before
// a release replaces it.
func (s Session) RequireWayBack(ctx context.Context, current delivery.Deployment) error {
	if current.Release == "" {
		return nil
	}
	rel, err := s.Recorded(ctx, current.Release)
	if err == nil {
		err = s.CheckPull(ctx, s.RequestFor(rel, current.Config))
	}
	if err == nil {
		return nil
	}
	return fault.Prefix("a failure could not return to "+string(current.Instance()), err)
}

// WarnWayBack warns, before the bake, that a failure could not return to the
// current deployment: its image may have gone since the release was started.
func (s Session) WarnWayBack(ctx context.Context, current delivery.Deployment) {
	if err := s.RequireWayBack(ctx, current); err != nil && ctx.Err() == nil {
		s.Request.Notice("during the bake, %v (%s)", err, fault.HintOf(err))
	}
}

// CheckPull requires that the image of a release can still be pulled, as far as its
// registry can show: a rule may have deleted or archived it.
func (s Session) CheckPull(ctx context.Context, o port.DeployRequest) error {
	checker, ok := s.Images.(port.PullChecker)
	if !ok || !o.Release.Image.Digest.Valid() {
		return nil
	}
	return checker.CheckPull(ctx, o.Release.Image)
}
