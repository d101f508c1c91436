package rollout

import (
	"context"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// stageTimeout bounds what a registry may delay a deployment by.
const stageTimeout = 30 * time.Second

// ShowStage lets a model registry that shows stages say what became of a release's model
// here. Nothing depends on it: what it refuses is logged.
func (s Session) ShowStage(ctx context.Context, release delivery.ReleaseID, state delivery.DeploymentState, why string) {
	stager, ok := s.Models.(port.ModelStager)
	if !ok || release == "" {
		return
	}
	rel, err := s.Releases.Get(ctx, release)
	if err != nil || rel.Release.Model == nil {
		return
	}
	limited, cancel := context.WithTimeout(ctx, stageTimeout)
	defer cancel()
	err = stager.SetStage(limited, *rel.Release.Model, port.ModelStage{Environment: s.Request.Environment, State: state, Release: release, Why: why})
	if err != nil && !fault.Is(err, fault.NotFound) {
		s.Request.Logf("the model registry does not show %s as %s in %s: %v", rel.Release.Model, state, s.Request.Environment, err)
	}
}

// ShowAccepted is ShowStage once the run's deployment was accepted: its model serves, and
// that of the release before it was replaced.
func (s Session) ShowAccepted(ctx context.Context, release delivery.ReleaseID) {
	if _, ok := s.Models.(port.ModelStager); !ok {
		return
	}
	if d, ok, err := s.OfRun(ctx); err == nil && ok && d.Replaced != release && !s.sameModel(ctx, d.Replaced, release) {
		s.ShowStage(ctx, d.Replaced, delivery.Replaced, "by "+string(release))
	}
	s.ShowStage(ctx, release, delivery.Serving, "")
}

// sameModel reports whether two releases have the same version of a model: it has one
// stage.
func (s Session) sameModel(ctx context.Context, a, b delivery.ReleaseID) bool {
	first, err := s.Releases.Get(ctx, a)
	second, err2 := s.Releases.Get(ctx, b)
	return err == nil && err2 == nil && first.Release.Model != nil && second.Release.Model != nil && *first.Release.Model == *second.Release.Model
}
