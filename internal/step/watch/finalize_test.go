package watch

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest/fake"
	"github.com/slipway-cd/slipway/internal/step"
)

// newKeepingFixture returns a fixture whose target keeps the previous release, and a history.
func newKeepingFixture(t *testing.T) *fixture {
	t.Helper()
	s := newFixture(t)
	s.Target.KeepsPrevious = true
	again := port.DeployRequest{Service: "api", Environment: env, ID: s.oldRelease.ID, Release: s.oldRelease.Release}
	if _, err := s.Target.Stage(t.Context(), again, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Target.Promote(t.Context(), again, nil); err != nil {
		t.Fatal(err)
	}
	again.ID, again.Release = s.newRelease.ID, s.newRelease.Release
	if _, err := s.Target.Promote(t.Context(), again, nil); err != nil {
		t.Fatal(err)
	}
	s.target = &fake.TargetWithHistory{Target: s.Target}
	s.Target.Calls = nil
	return s
}

func (s *fixture) wantRunning(t *testing.T, want ...delivery.ReleaseID) {
	t.Helper()
	_, all := s.Target.Running(env)
	slices.Sort(all)
	slices.Sort(want)
	if !slices.Equal(all, want) {
		t.Errorf("running: %v, want %v", all, want)
	}
}

// changes are the calls that change something at the target.
func (s *fixture) changes() []string {
	return slices.DeleteFunc(slices.Clone(s.Target.Calls), func(c string) bool { return c == "Observe " || strings.HasPrefix(c, "Traffic") })
}

// TestRun_FinalizesAfterAcceptance: what was kept goes once the release is accepted, after the history
// beside it says so, and not before.
func TestRun_FinalizesAfterAcceptance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newKeepingFixture(t)
		s.Target.TrafficOf = func(delivery.ReleaseID, time.Time) port.Traffic {
			s.wantNotFinalized(t)
			return port.Traffic{Requests: 100}
		}
		res, err := s.watch(t.Context(), step.WatchParams{Bake: delivery.Duration(time.Minute)})
		if err != nil || res.Outcome != delivery.OutcomeSucceeded {
			t.Fatalf("outcome = %s (%q, %q), error = %v, want %s", res.Outcome, res.Summary, res.Cause, err, delivery.OutcomeSucceeded)
		}
		s.wantRunning(t, s.newRelease.ID)
		want := []string{"SaveHistory " + string(s.newRelease.ID) + " serving", "Finalize " + string(s.newRelease.ID)}
		if diff := cmp.Diff(want, s.changes()); diff != "" {
			t.Errorf("calls that change the target (-want +got):\n%s", diff)
		}
	})
}

// wantNotFinalized fails the test if Finalize was called. It runs inside a call of the target.
func (s *fixture) wantNotFinalized(t *testing.T) {
	t.Helper()
	for _, c := range s.Target.Calls {
		if strings.HasPrefix(c, "Finalize") {
			t.Errorf("call %q during the bake, want none that finalizes", c)
		}
	}
}

// TestRun_FailedBakeKeepsPrevious: what is to be gone back to stays.
func TestRun_FailedBakeKeepsPrevious(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newKeepingFixture(t)
		s.setTraffic(0, port.Traffic{Requests: 100, Errors: 100})
		res, err := s.watch(t.Context(), step.WatchParams{Bake: delivery.Duration(time.Minute), Thresholds: step.WatchThresholds{}})
		if err != nil || res.Outcome != delivery.OutcomeFailed {
			t.Fatalf("outcome = %s (%q, %q), error = %v, want %s", res.Outcome, res.Summary, res.Cause, err, delivery.OutcomeFailed)
		}
		s.wantRunning(t, s.oldRelease.ID, s.newRelease.ID)
		if got := s.changes(); len(got) != 0 {
			t.Errorf("calls %q, want none", got)
		}
	})
}

// TestRun_RetriesFinalize: killed, or refused, between the acceptance and its end, the
// next call finalizes.
func TestRun_RetriesFinalize(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newKeepingFixture(t)
		why := errors.New("the cluster is away")
		s.Target.Fail = func(method string, _ delivery.ReleaseID) error {
			if method == "Finalize" {
				return why
			}
			return nil
		}
		if _, err := s.watch(t.Context(), step.WatchParams{}); !errors.Is(err, why) {
			t.Fatalf("error = %v, want %v", err, why)
		}
		s.wantAccepted(t, true)
		s.wantRunning(t, s.oldRelease.ID, s.newRelease.ID)
		s.Target.Fail = nil
		res, err := s.watch(t.Context(), step.WatchParams{})
		if err != nil || res.Outcome != delivery.OutcomeSucceeded {
			t.Fatalf("outcome = %s (%q, %q), error = %v, want %s", res.Outcome, res.Summary, res.Cause, err, delivery.OutcomeSucceeded)
		}
		s.wantRunning(t, s.newRelease.ID)
	})
}

// TestRun_AnchorsAcceptedDeployment: only a deployment that was accepted ties the
// environment to the log.
func TestRun_AnchorsAcceptedDeployment(t *testing.T) {
	for _, healthy := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			s := newFixture(t)
			target, log := &fake.AnchoredTarget{TargetWithHistory: &fake.TargetWithHistory{Target: s.Target}}, fake.NewRecordLog("A", 1, 2)
			s.target, s.log = target, log
			want := log.Mark(2)
			if !healthy {
				want = port.LogMark{}
				s.Target.TrafficOf = func(delivery.ReleaseID, time.Time) port.Traffic { return port.Traffic{Requests: 10, Errors: 10} }
			}
			if _, err := s.watch(t.Context(), step.WatchParams{Bake: delivery.Duration(time.Minute)}); err != nil {
				t.Fatal(err)
			}
			if a, err := target.Anchor(t.Context(), "api", env); err != nil || a.Mark != want {
				t.Errorf("healthy: %v: anchor = %v, %v, want %v", healthy, a.Mark, err, want)
			}
		})
	}
}
