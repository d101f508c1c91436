package portforward

import (
	"context"
	"fmt"
	"time"
)

// responseTimeout is how long it may take to connect to a pod, or to open a stream on
// a connection.
const responseTimeout = 3 * time.Second

func withResponseTimeout(act string) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(context.Background(), responseTimeout, fmt.Errorf("%s: no response within %s", act, responseTimeout))
}

// withContext returns what f returns, or ctx's cause if that ends first; a value that
// comes too late goes to discard.
func withContext[T any](ctx context.Context, f func() (T, error), discard func(T)) (T, error) {
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		v, err := f()
		done <- result{v, err}
	}()
	select {
	case r := <-done:
		return r.value, r.err
	case <-ctx.Done():
		go func() {
			if r := <-done; r.err == nil {
				discard(r.value)
			}
		}()
		var zero T
		return zero, context.Cause(ctx)
	}
}
