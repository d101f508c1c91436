package rollback_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
)

// stager is a model registry that other tools read.
type stager struct {
	port.ModelRegistry

	stages []string
}

func (r *stager) SetStage(_ context.Context, ref delivery.ModelRef, s port.ModelStage) error {
	r.stages = append(r.stages, ref.String()+" "+string(s.State))
	return nil
}

// TestUndo_RejectsModel: a model that failed in production is rejected with the reason, if
// nothing else came with it.
func TestUndo_RejectsModel(t *testing.T) {
	for name, tt := range map[string]struct {
		change   func(*delivery.Release)
		cancel   bool
		rejected bool
	}{
		"only the model": {func(*delivery.Release) {}, false, true},
		"the image, too": {func(r *delivery.Release) { r.Image.Digest = delivery.DigestOf([]byte("other")) }, false, false},
		"cancelled":      {func(*delivery.Release) {}, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newFixture(true)
				content := s.oldRelease.Release
				content.Model = s.newRelease.Release.Model
				tt.change(&content)
				rel, err := s.Records.Releases().Save(t.Context(), content, delivery.Origin{Run: thisRun})
				if err != nil {
					t.Fatal(err)
				}
				s.newRelease = rel
				registry := &stager{ModelRegistry: s.Records.Models()}
				forth, back := s.deploy(), s.rollback()
				forth.Models, back.Models = registry, registry
				if res, err := forth.Run(t.Context(), s.promotion()); err != nil || res.Outcome != delivery.OutcomeSucceeded {
					t.Fatalf("outcome = %s (%q), error = %v", res.Outcome, res.Cause, err)
				}
				r := s.undoRequest(tt.cancel)
				if res, err := back.Run(t.Context(), r); err != nil || res.Outcome != delivery.OutcomeSucceeded {
					t.Fatalf("undo: outcome = %s (%q), error = %v", res.Outcome, res.Cause, err)
				}
				ref := rel.Release.Model
				m, err := registry.Get(t.Context(), ref.Group, ref.Version)
				if err != nil || tt.rejected != (m.Status == delivery.Rejected) || tt.rejected && (m.Why != r.Cause || m.DecidedActor.Means != delivery.MeansAuto) {
					t.Errorf("model is %s (%s, by %s), error = %v", m.Status, m.Why, m.DecidedBy, err)
				}
				if !slices.Contains(registry.stages, ref.String()+" deploying") || !slices.Contains(registry.stages, ref.String()+" rolled_back") {
					t.Errorf("stages %q", registry.stages)
				}
			})
		})
	}
}
