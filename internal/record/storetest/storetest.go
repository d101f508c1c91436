// Package storetest is the suite that every record.Store passes.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/plan"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/record"
)

// TestStore holds a store against every promise of record.Store. open gives a handle:
// the first call in a test starts with no records, and a later call in the same
// test opens the same records again, whether or not the first is still open.
func TestStore(t *testing.T, open func(t *testing.T) record.Store) {
	suites := []struct {
		name string
		test func(*testing.T, func(*testing.T) record.Store)
	}{
		{"queue", testQueue}, {"waiting", testWaiting}, {"listing runs", testRunLists}, {"pages of runs", testRunPages}, {"finish", testFinish},
		{"cancel", testCancel}, {"newer plan", testNewerPlan}, {"steps", testSteps}, {"step batch", testStepBatch}, {"find steps", testFindSteps}, {"costs", TestCosts},
		{"cache", testCache}, {"outbox", testOutbox}, {"outbox claims", testOutboxClaim},
		{"two handles: queue", testTwoHandlesQueue}, {"two handles: same things", testTwoHandlesSame},
		{"reopen", testReopen}, {"cancelled context", testCancelledContext},
	}
	for _, s := range suites {
		t.Run(s.name, func(t *testing.T) { s.test(t, open) })
	}
}

// at is a time of the suite's own calendar.
func at(minute int) time.Time { return time.Date(2026, 11, 24, 10, minute, 0, 123456789, time.UTC) }

// runID is the n-th run's name.
func runID(n int) delivery.RunID {
	return delivery.RunID(fmt.Sprintf("20261124-101502-%04d", n))
}

// actor is who starts the suite's runs.
func actor() delivery.Actor {
	return delivery.Actor{Issuer: "https://ci.example", Subject: "7", Name: "ana", Means: delivery.MeansCI}
}

// newRun is a run that has not been queued.
func newRun(n int, env delivery.Environment) record.Run {
	id := runID(n)
	return record.Run{
		RunSummary: record.RunSummary{ID: id, Environment: env, By: actor(), PID: 4242, Host: "laptop", CreatedAt: at(n % 60)},
		Plan: plan.Plan{
			Version: plan.Version, Purpose: plan.Deliver, Run: id, Service: "retail", Environment: env,
			Trigger: plan.Trigger{Event: "manual", By: "ana"}, Commit: delivery.Commit{SHA: "0123456789abcdef0123456789abcdef01234567"},
		},
	}
}

func enqueue(t *testing.T, s record.Store, n int, env delivery.Environment) record.Run {
	t.Helper()
	r, err := s.Runs().Enqueue(t.Context(), newRun(n, env))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func closing(t *testing.T, s record.Store) record.Store {
	t.Helper()
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

// ok ends the test on an error.
func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wantKind fails the test unless err is a fault of that kind.
func wantKind(t *testing.T, what string, err error, kind fault.Kind) {
	t.Helper()
	if !fault.Is(err, kind) {
		t.Errorf("%s: got %v (%s), want a fault of kind %q", what, err, fault.KindOf(err), kind)
	}
}

// same fails the test unless both print alike: the suite's values are plain data.
func same[T any](t *testing.T, what string, got, want T) {
	t.Helper()
	if g, w := fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", want); g != w {
		t.Errorf("%s:\n got %s\nwant %s", what, g, w)
	}
}

func wantHead(t *testing.T, s record.Store, env delivery.Environment, want delivery.RunID) {
	t.Helper()
	r, found, err := s.Runs().Head(t.Context(), env)
	ok(t, err)
	if found != (want != "") || r.ID != want {
		t.Errorf("head of %s = %q (found %v), want %q", env, r.ID, found, want)
	}
}

func ids(runs []record.RunSummary) []delivery.RunID {
	out := []delivery.RunID{}
	for _, r := range runs {
		out = append(out, r.ID)
	}
	return out
}

func testCancelledContext(t *testing.T, open func(*testing.T) record.Store) {
	s := closing(t, open(t))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Runs().Enqueue(ctx, newRun(1, "dev")); !errors.Is(err, context.Canceled) {
		t.Errorf("Enqueue with a cancelled context: %v, want it to say so", err)
	}
	if _, _, err := s.Runs().List(ctx, "", port.Page{}); !errors.Is(err, context.Canceled) {
		t.Errorf("Runs with a cancelled context: %v, want it to say so", err)
	}
	runs, _, err := s.Runs().List(t.Context(), "", port.Page{})
	ok(t, err)
	same(t, "runs afterwards", ids(runs), []delivery.RunID{})
}
