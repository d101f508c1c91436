package engine_test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
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

// clone is a source that lacks commits until they are fetched, if origin has them.
type clone struct {
	port.Source
	has     map[string]bool // trees
	origin  bool
	fetched int
}

func (s *clone) Checkout(_ context.Context, tree, _ string) error {
	if !s.has[tree] {
		return fault.New(fault.NotFound, "tree %s not found", tree)
	}
	return nil
}

func (s *clone) Fetch(_ context.Context, c delivery.Commit) error {
	s.fetched++
	if !s.origin {
		return fault.New(fault.NotFound, "commit %s not found", c.SHA)
	}
	s.has[c.Tree] = true
	return nil
}

// TestCheckout_Fetches: a run goes on in a clone that lacks its commit, if that can be
// fetched.
func TestCheckout_Fetches(t *testing.T) {
	for name, c := range map[string]struct {
		source  *clone
		fetched int
		outcome delivery.Outcome
		cause   string
	}{
		"there":     {&clone{has: map[string]bool{strings.Repeat("b", 40): true}}, 0, delivery.OutcomeSucceeded, ""},
		"in origin": {&clone{has: map[string]bool{}, origin: true}, 1, delivery.OutcomeSucceeded, ""},
		"nowhere":   {&clone{has: map[string]bool{}}, 1, delivery.OutcomeFailed, "not found"},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, t.TempDir())
			l.Source = c.source
			l.does["a"] = func(ctx context.Context, r step.Request) (step.Result, error) {
				if _, err := r.Checkout(ctx); err != nil {
					return step.Result{}, err
				}
				return step.Succeed("", nil)
			}
			wantRun(t, l.run(newPlan(1, step.Spec{Name: "a"})), record.Ended, c.outcome, c.cause)
			if c.source.fetched != c.fetched {
				t.Errorf("fetched %d times, want %d", c.source.fetched, c.fetched)
			}
		})
	}
}
