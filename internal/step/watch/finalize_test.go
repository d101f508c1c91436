package watch

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest/fake"
	"github.com/slipway-cd/slipway/internal/step"
)

// keeping is a scene whose target keeps the release before, and a history.
func keeping(t *testing.T) *scene {
	t.Helper()
	s := newScene(t)
	s.Target.KeepsPrevious = true
	again := port.DeployRequest{Service: "api", Environment: env, ID: s.old.ID, Release: s.old.Release}
	if _, err := s.Target.Stage(t.Context(), again, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Target.Promote(t.Context(), again, nil); err != nil {
		t.Fatal(err)
	}
	again.ID, again.Release = s.fresh.ID, s.fresh.Release
	if _, err := s.Target.Promote(t.Context(), again, nil); err != nil {
		t.Fatal(err)
	}
	s.target = &fake.TargetWithHistory{Target: s.Target}
	s.Target.Calls = nil
	return s
}

func (s *scene) runs(t *testing.T, want ...delivery.ReleaseID) {
	t.Helper()
	_, all := s.Target.Running(env)
	slices.Sort(all)
	slices.Sort(want)
	if !slices.Equal(all, want) {
		t.Errorf("%v run, want %v", all, want)
	}
}

// told are the calls that change something at the target.
func (s *scene) told() []string {
	return slices.DeleteFunc(slices.Clone(s.Target.Calls), func(c string) bool { return c == "Observe " || c[:7] == "Traffic" })
}

// TestSettles: what was kept goes once the release is accepted, after the history
// beside it says so, and not before.
func TestSettles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := keeping(t)
		s.Target.TrafficOf = func(delivery.ReleaseID, time.Time) port.Traffic {
			s.during(t)
			return port.Traffic{Requests: 100}
		}
		res, err := s.watch(t.Context(), step.WatchParams{Bake: delivery.Duration(time.Minute)})
		if err != nil || res.Outcome != delivery.OutcomeSucceeded {
			t.Fatalf("%+v, %v", res, err)
		}
		s.runs(t, s.fresh.ID)
		want := []string{"Write " + string(s.fresh.ID) + " serving", "Settle " + string(s.fresh.ID)}
		if got := s.told(); !slices.Equal(got, want) {
			t.Errorf("calls %q, want %q", got, want)
		}
	})
}

// during is that nothing was let go of yet. It runs inside a call of the target.
func (s *scene) during(t *testing.T) {
	t.Helper()
	for _, c := range s.Target.Calls {
		if c[:6] == "Settle" {
			t.Error("it was settled during the bake")
		}
	}
}

// TestFailedBakeKeeps: what is to be gone back to stays.
func TestFailedBakeKeeps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := keeping(t)
		s.after(0, port.Traffic{Requests: 100, Errors: 100})
		res, err := s.watch(t.Context(), step.WatchParams{Bake: delivery.Duration(time.Minute), Thresholds: step.WatchThresholds{}})
		if err != nil || res.Outcome != delivery.OutcomeFailed {
			t.Fatalf("%+v, %v", res, err)
		}
		s.runs(t, s.old.ID, s.fresh.ID)
		if got := s.told(); len(got) != 0 {
			t.Errorf("calls %q, want none", got)
		}
	})
}

// TestSettledAgain: killed, or refused, between the acceptance and its end, the
// next call settles.
func TestSettledAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := keeping(t)
		why := errors.New("the cluster is away")
		s.Target.Fail = func(method string, _ delivery.ReleaseID) error {
			if method == "Settle" {
				return why
			}
			return nil
		}
		if _, err := s.watch(t.Context(), step.WatchParams{}); !errors.Is(err, why) {
			t.Fatalf("error = %v, want %v", err, why)
		}
		s.accepted(t, true)
		s.runs(t, s.old.ID, s.fresh.ID)
		s.Target.Fail = nil
		res, err := s.watch(t.Context(), step.WatchParams{})
		if err != nil || res.Outcome != delivery.OutcomeSucceeded {
			t.Fatalf("%+v, %v", res, err)
		}
		s.runs(t, s.fresh.ID)
	})
}
