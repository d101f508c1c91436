package bake

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestBakeRun(t *testing.T) {
	busy, denied := errors.New("busy"), errors.New("denied")
	cases := []struct {
		name     string
		observe  func(n int, since time.Duration) (Observation, error)
		err      error
		failures int
		took     time.Duration
		calls    int
	}{
		{name: "until the end", observe: func(int, time.Duration) (Observation, error) { return Observation{}, nil },
			took: 10 * time.Second, calls: 11},
		{name: "done early", observe: func(n int, _ time.Duration) (Observation, error) { return Observation{Done: n == 4}, nil },
			took: 3 * time.Second, calls: 4},
		{name: "gives up", observe: func(int, time.Duration) (Observation, error) { return Observation{}, busy },
			err: busy, failures: MaxFailures, took: 4 * time.Second, calls: MaxFailures},
		{name: "recovers", observe: func(n int, _ time.Duration) (Observation, error) {
			if n%MaxFailures != 0 {
				return Observation{}, busy
			}
			return Observation{}, nil
		}, took: 14 * time.Second, calls: 15},
		{name: "permanent", observe: func(int, time.Duration) (Observation, error) { return Observation{}, denied },
			err: denied, failures: 1, calls: 1},
		{name: "fails at the end, then recovers", observe: func(n int, since time.Duration) (Observation, error) {
			if since >= 10*time.Second && n < 14 {
				return Observation{}, busy
			}
			return Observation{}, nil
		}, took: 13 * time.Second, calls: 14},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start, calls := time.Now(), 0
				b := Bake{
					Start: start, Duration: 10 * time.Second, Progress: func(time.Duration, string) {},
					Permanent: func(err error) bool { return errors.Is(err, denied) },
				}
				err := b.Run(t.Context(), func(context.Context, bool) (Observation, error) {
					calls++
					return c.observe(calls, time.Since(start))
				})
				if !errors.Is(err, c.err) {
					t.Errorf("error = %v, want %v", err, c.err)
				}
				if failed := (*FailedError)(nil); errors.As(err, &failed) && failed.Failures != c.failures {
					t.Errorf("%d failures, want %d", failed.Failures, c.failures)
				}
				if took := time.Since(start); took != c.took || calls != c.calls {
					t.Errorf("%d observations in %s, want %d in %s", calls, took, c.calls, c.took)
				}
			})
		})
	}
}

func TestBakeRun_StopsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		why := errors.New("cancelled by ann")
		ctx, cancel := context.WithCancelCause(t.Context())
		b := Bake{Start: time.Now(), Duration: time.Hour, Progress: func(time.Duration, string) {}}
		err := b.Run(ctx, func(context.Context, bool) (Observation, error) {
			cancel(why)
			return Observation{Done: true}, nil
		})
		if !errors.Is(err, why) {
			t.Errorf("error = %v, want %v", err, why)
		}
	})
}
