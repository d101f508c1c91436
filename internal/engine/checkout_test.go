package engine_test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/record"
	"github.com/slipway-cd/slipway/internal/step"
)

// source counts checkouts; the first ones fail.
type source struct {
	port.Source
	fail  int
	calls []string
}

func (s *source) Checkout(_ context.Context, tree, dir string) error {
	s.calls = append(s.calls, tree+" "+dir)
	if len(s.calls) <= s.fail {
		return errors.New("disk is slow")
	}
	return nil
}

func TestCheckout(t *testing.T) {
	for _, failing := range []int{0, 1} {
		l := newLab(t, t.TempDir())
		src := &source{fail: failing}
		l.Source = src
		dir := filepath.Join(l.Home, "work", "prod", "src")
		asks := func(ctx context.Context, r step.Request) (step.Result, error) {
			got, err := r.Checkout(ctx)
			if err != nil {
				return step.Result{}, err
			}
			if got != dir {
				t.Errorf("checked out to %s", got)
			}
			return step.Succeed("", nil)
		}
		l.does["a"], l.does["b"], l.does["c"] = asks, asks, asks
		run := l.run(newPlan(1, step.Spec{Name: "a", Retries: 2}, step.Spec{Name: "b", Retries: 2}, step.Spec{Name: "c", Needs: []string{"a", "b"}}))
		wantRun(t, run, record.Ended, delivery.OutcomeSucceeded, "")
		var want []string
		for range 1 + failing {
			want = append(want, strings.Repeat("b", 40)+" "+dir)
		}
		wantList(t, "checkouts", src.calls, want)
	}
}
