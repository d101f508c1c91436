package porttest

import (
	"context"
	"testing"

	"github.com/slipway-cd/slipway/internal/port"
)

// TestDriftReporter tests a target against the contract of port.DriftReporter: what
// nobody has touched does not differ, and a release on its way in is no difference.
func TestDriftReporter(t *testing.T, make func(t *testing.T) TargetFixture) {
	t.Run("as deployed", func(t *testing.T) {
		f := make(t)
		a := f.Request(Sample{Version: "a"})
		deploy(t, f, a)
		wantDrift(t, f, a, 0)
		if f.KeepsPrevious {
			finalize(t, f, a)
			wantDrift(t, f, a, 0)
		}
	})
	t.Run("while another is staged", func(t *testing.T) {
		f := make(t)
		a, b := f.Request(Sample{Version: "a"}), f.Request(Sample{Version: "b"})
		deploy(t, f, a)
		if f.KeepsPrevious {
			finalize(t, f, a)
		}
		stage(t, f, b)
		wantDrift(t, f, a, 0)
	})
}

func wantDrift(t *testing.T, f TargetFixture, o port.DeployRequest, want int) {
	t.Helper()
	reporter, ok := f.Target.(port.DriftReporter)
	if !ok {
		t.Fatalf("%T does not implement port.DriftReporter", f.Target)
	}
	found, err := reporter.Drift(context.Background(), o)
	if err != nil || len(found) != want {
		t.Errorf("Drift of %s = %v, %v; want %d differences", o.ID, found, err, want)
	}
}
