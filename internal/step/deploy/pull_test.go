package deploy

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port/porttest/fake"
	"github.com/slipway-cd/slipway/internal/step"
)

// archive is a registry that tells which images can't be pulled.
type archive struct {
	*fake.ImageStore
	archived delivery.Digest
	asked    int
}

func (a *archive) Has(context.Context, delivery.Image) (bool, error) { return true, nil }

func (a *archive) CheckPull(_ context.Context, img delivery.Image) error {
	a.asked++
	if img.Digest == a.archived {
		return fault.New(fault.Conflict, "ECR has it as ARCHIVED").Hint("restore it")
	}
	return nil
}

// TestWayBack_Archived is complaint 4: a deploy does not start while the image of the
// current release can't be pulled.
func TestWayBack_Archived(t *testing.T) {
	for name, archived := range map[string]bool{"archived": true, "active": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := fake.NewEnvironment()
				old, next := w.Release(1), w.Release(2)
				w.Serve(env, "20260101-000000-aaaa", old, time.Now())
				s, images := newStep(w), &archive{ImageStore: &fake.ImageStore{}}
				if s.Images = images; archived {
					images.archived = old.Release.Image.Digest
				}
				w.Target.Calls = nil
				res, err := s.Run(t.Context(), request(step.DeployParams{Release: next.ID}))
				if !archived {
					if err != nil || res.Outcome != delivery.OutcomeSucceeded || images.asked == 0 {
						t.Errorf("outcome %s (%s), %v, asked %d times", res.Outcome, res.Cause, err, images.asked)
					}
					return
				}
				if !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), "could not return to "+string(old.ID)) || fault.HintOf(err) != "restore it" {
					t.Errorf("%v (%s)", err, fault.HintOf(err))
				}
				for _, call := range w.Target.Calls {
					if strings.HasPrefix(call, "Stage") || strings.HasPrefix(call, "Promote") {
						t.Errorf("%s was called", call)
					}
				}
			})
		})
	}
}
