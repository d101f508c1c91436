package fault_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/slipway-cd/slipway/internal/fault"
)

func TestAsInfrastructure(t *testing.T) {
	if err := fault.AsInfrastructure(nil); err != nil {
		t.Errorf("no error became %v", err)
	}
	for _, c := range []struct {
		name string
		err  error
		want bool
	}{
		{"plain", errors.New("broken pipe"), true},
		{"unavailable", fault.New(fault.Unavailable, "call the registry"), true},
		{"full", fault.New(fault.Exhausted, "save the state").Hint("free some space"), true},
		{"conflict", fault.New(fault.Conflict, "listen on port 80"), true},
		{"failed", fault.New(fault.Failed, "start r-1"), false},
		{"failed, wrapped", fmt.Errorf("deploy: %w", fault.New(fault.Failed, "start r-1")), false},
		{"invalid", fault.New(fault.Invalid, "the image has no entrypoint"), false},
		{"failed because of the infrastructure", fault.New(fault.Failed, "start r-1").Infrastructure(), true},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := fmt.Errorf("step deploy: %w", fault.AsInfrastructure(c.err))
			if got := fault.IsInfrastructure(err); got != c.want {
				t.Errorf("IsInfrastructure(%v) = %v, want %v", err, got, c.want)
			}
			if fault.KindOf(err) != fault.KindOf(c.err) || fault.HintOf(err) != fault.HintOf(c.err) || !errors.Is(err, c.err) {
				t.Errorf("marking changed the kind %s, the hint %q or the cause", fault.KindOf(err), fault.HintOf(err))
			}
		})
	}
}

// TestAsVerdict_StaysVerdict: a target's verdict is none of the infrastructure,
// whatever its kind, unless its cause is.
func TestAsVerdict_StaysVerdict(t *testing.T) {
	missing := fault.New(fault.NotFound, "the image is missing")
	if got := fault.AsInfrastructure(fault.AsVerdict(missing)); fault.IsInfrastructure(got) || !fault.Is(got, fault.NotFound) {
		t.Errorf("marked as a verdict: %v, infrastructure = %v", got, fault.IsInfrastructure(got))
	}
	if !fault.IsInfrastructure(fault.AsInfrastructure(missing)) {
		t.Error("without the mark it is no failure of the infrastructure")
	}
	if fault.AsVerdict(nil) != nil {
		t.Error("no error became one")
	}
}
