package wait_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slipway-cd/slipway/internal/wait"
)

var errStopped = errors.New("stopped")

func TestSleep(t *testing.T) {
	for _, c := range []struct {
		name       string
		d, stop    time.Duration // stop 0: the context does not end
		want       error
		wantPassed time.Duration
	}{
		{name: "passes", d: time.Hour, wantPassed: time.Hour},
		{name: "zero"},
		{name: "negative", d: -time.Hour},
		{name: "context ends first", d: time.Hour, stop: time.Minute, want: errStopped, wantPassed: time.Minute},
		{name: "context ends later", d: time.Minute, stop: time.Hour, wantPassed: time.Minute},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancelCause(t.Context())
				defer cancel(nil)
				if c.stop > 0 {
					defer time.AfterFunc(c.stop, func() { cancel(errStopped) }).Stop()
				}
				begin := time.Now()
				if err := wait.Sleep(ctx, c.d); !errors.Is(err, c.want) {
					t.Errorf("Sleep(%s) = %v, want %v", c.d, err, c.want)
				}
				if passed := time.Since(begin); passed != c.wantPassed {
					t.Errorf("Sleep(%s) took %s, want %s", c.d, passed, c.wantPassed)
				}
			})
		})
	}
}

// TestSleep_EndedContext: the cause wins even if there is nothing to wait for.
func TestSleep_EndedContext(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errStopped)
	for _, d := range []time.Duration{-1, 0, time.Nanosecond, time.Hour} {
		if err := wait.Sleep(ctx, d); !errors.Is(err, errStopped) {
			t.Errorf("Sleep(%s) = %v, want %v", d, err, errStopped)
		}
	}
}

func TestPoll(t *testing.T) {
	errBroken := errors.New("broken")
	for _, c := range []struct {
		name      string
		condition func(call int) (bool, error)
		want      error
		wantCalls int
	}{
		{"at once", func(int) (bool, error) { return true, nil }, nil, 1},
		{"third call", func(call int) (bool, error) { return call == 3, nil }, nil, 3},
		{"fails", func(call int) (bool, error) {
			if call == 2 {
				return false, errBroken
			}
			return false, nil
		}, errBroken, 2},
		{"context ends", func(int) (bool, error) { return false, nil }, errStopped, 6}, // after 0, 1, 2, 3, 4 and 5 minutes
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancelCause(t.Context())
				defer time.AfterFunc(5*time.Minute+time.Second, func() { cancel(errStopped) }).Stop()
				calls := 0
				err := wait.Poll(ctx, time.Minute, func(context.Context) (bool, error) {
					calls++
					return c.condition(calls)
				})
				if !errors.Is(err, c.want) {
					t.Errorf("Poll = %v, want %v", err, c.want)
				}
				if calls != c.wantCalls {
					t.Errorf("%d calls, want %d", calls, c.wantCalls)
				}
			})
		})
	}
}

func TestPoll_EndedContext(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errStopped)
	err := wait.Poll(ctx, time.Minute, func(context.Context) (bool, error) {
		t.Error("the condition was evaluated after the context had ended")
		return true, nil
	})
	if !errors.Is(err, errStopped) {
		t.Errorf("Poll = %v, want %v", err, errStopped)
	}
}
