package deploy

import (
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port/porttest/fake"
	"github.com/slipway-cd/slipway/internal/step"
)

// TestRun_PromotionLooksForImage proves that a recorded release is only deployed while
// the registry has its image, unless the registry does not say.
func TestRun_PromotionLooksForImage(t *testing.T) {
	run := func(images *fake.ImageStore) (step.Result, string, error) {
		w := fake.NewEnvironment()
		s := newStep(w)
		s.Images = images
		var log strings.Builder
		r := request(step.DeployParams{Release: w.Release(1).ID})
		r.Log = &log
		res, err := s.Run(t.Context(), r)
		return res, log.String(), err
	}
	t.Run("missing", func(t *testing.T) {
		_, _, err := run(&fake.ImageStore{})
		if !fault.Is(err, fault.NotFound) || !strings.Contains(err.Error(), "is not in the registry") || fault.HintOf(err) == "" {
			t.Errorf("error = %v (hint %q), want %s", err, fault.HintOf(err), fault.NotFound)
		}
	})
	t.Run("no answer", func(t *testing.T) {
		res, log, err := run(&fake.ImageStore{Fail: fault.New(fault.Unavailable, "no route to the registry")})
		if err != nil || res.Output == nil || !strings.Contains(log, "no route to the registry") {
			t.Errorf("result %+v (%v), log %q; want it deployed, and the trouble in the log", res, err, log)
		}
	})
}
