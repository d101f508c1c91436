package rollback_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest/fake"
	"github.com/slipway-cd/slipway/internal/step"
	"github.com/slipway-cd/slipway/internal/step/trust"
)

// TestForward_VerifiesTrust: what a person names is held against the policy before anything
// begins; the undo of a deployment is not, because it returns to what was let in
// and served a moment ago.
func TestForward_VerifiesTrust(t *testing.T) {
	demand := &step.TrustParams{TrustPolicy: fake.TrustPolicy("ann"), Require: []string{step.RequireSignature}}
	for _, asked := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			s := newFixture(true)
			undo := s.rollback()
			undo.Trust = trust.Verifier{Attestations: &fake.AttestationStore{}, Signatures: fake.Verifier{}}
			if asked {
				s.Serve(env, "20260101-010000-cccc", s.newRelease, time.Now())
				s.Target.Calls = nil
				r := s.request(step.RollbackParams{Release: s.oldRelease.ID, Trust: demand})
				r.Spec.Kind, r.Spec.Undo = step.Rollback, ""
				if _, err := undo.Run(t.Context(), r); !fault.Is(err, fault.Denied) {
					t.Errorf("error = %v, want %s", err, fault.Denied)
				}
				if len(s.Target.Calls) > 0 {
					t.Errorf("calls of the target = %q, want none", s.Target.Calls)
				}
				s.wantState(t, s.newRelease.ID)
				return
			}
			r := s.request(step.RollbackParams{Release: s.newRelease.ID})
			if _, err := s.deploy().Run(t.Context(), r); err != nil {
				t.Fatal(err)
			}
			with, _ := json.Marshal(step.RollbackParams{RolloutParams: step.RolloutParams{Target: "local"}, Release: s.newRelease.ID, Trust: demand})
			r.Spec.Params, r.Cause = with, "verify: it was wrong"
			if res, err := undo.Run(t.Context(), r); err != nil || res.Outcome != delivery.OutcomeSucceeded {
				t.Errorf("outcome = %s (%q, %q), error = %v, want %s", res.Outcome, res.Summary, res.Cause, err, delivery.OutcomeSucceeded)
			}
			s.wantState(t, s.oldRelease.ID, s.newRelease.ID)
		})
	}
}

// TestForward_RefusesUnsigned: no requested rollback goes to what no trusted key has
// signed.
func TestForward_RefusesUnsigned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFixture(true)
		s.Serve(env, "20260101-010000-cccc", s.newRelease, time.Now())
		s.Target.Calls = nil
		back := s.rollback()
		back.Releases = unsignedReleases{back.Releases}
		r := s.request(step.RollbackParams{Release: s.oldRelease.ID})
		r.Spec.Kind, r.Spec.Undo = step.Rollback, ""
		if _, err := back.Run(t.Context(), r); !fault.Is(err, fault.Denied) || !strings.Contains(err.Error(), "is pending") {
			t.Errorf("error = %v, want it refused as pending", err)
		}
		if len(s.Target.Calls) > 0 {
			t.Errorf("calls of the target = %q, want none", s.Target.Calls)
		}
		s.wantState(t, s.newRelease.ID)
	})
}

type unsignedReleases struct{ port.ReleaseStore }

func (u unsignedReleases) Get(ctx context.Context, id delivery.ReleaseID) (delivery.ReleaseRecord, error) {
	r, err := u.ReleaseStore.Get(ctx, id)
	r.Unsigned = true
	return r, err
}
