package fault_test

import (
	"errors"
	"testing"

	"github.com/slipway-cd/slipway/internal/fault"
)

func TestPrefix(t *testing.T) {
	inner := fault.New(fault.Failed, "push api@sha256:1: connection refused")
	for _, c := range []struct{ act, want string }{
		{"push api", "push api@sha256:1: connection refused"},
		{"push web", "push web: push api@sha256:1: connection refused"},
	} {
		t.Run(c.act, func(t *testing.T) {
			got := fault.Prefix(c.act, inner)
			if got.Error() != c.want || !errors.Is(got, inner) {
				t.Errorf("Prefix = %q, want %q around the error", got, c.want)
			}
		})
	}
	if err := fault.Prefix("push api", nil); err != nil {
		t.Errorf("Prefix of no error = %v", err)
	}
}
