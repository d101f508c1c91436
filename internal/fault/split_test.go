package fault_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/slipway-cd/slipway/internal/fault"
)

func TestSplit(t *testing.T) {
	a, b, c := errors.New("a"), fault.New(fault.Denied, "b"), fmt.Errorf("c: %w", errors.New("d"))
	for _, tt := range []struct {
		err  error
		want []error
	}{
		{nil, nil}, {a, []error{a}}, {errors.Join(a, nil, b), []error{a, b}}, {errors.Join(errors.Join(a, c), b), []error{a, c, b}},
	} {
		if got := fault.Split(tt.err); !slices.Equal(got, tt.want) {
			t.Errorf("Split(%v) = %v, want %v", tt.err, got, tt.want)
		}
	}
}
