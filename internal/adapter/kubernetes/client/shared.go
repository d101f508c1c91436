package client

import (
	"context"
	"fmt"
	"time"
)

// sharedWait is how long a request of another caller is waited for before a new one is
// sent: that one may have been sent to an API server that is gone.
const sharedWait = 2 * time.Second

// shared calls f once for all who ask for the same name at the same time. The call
// has its own context: a caller that gives up does not end it for the others, and
// each caller waits no longer than its own context lasts.
func shared[T any](ctx context.Context, c *Client, name string, f func(context.Context) (T, error)) (T, error) {
	for {
		v, ok, err := sharedOnce(ctx, c, name, f)
		if ok || err != nil {
			return v, err
		}
		c.group.Forget(name)
	}
}

// sharedOnce returns ok = false and no error after sharedWait.
func sharedOnce[T any](ctx context.Context, c *Client, name string, f func(context.Context) (T, error)) (v T, ok bool, err error) {
	done := c.group.DoChan(name, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), maxOutage)
		defer cancel()
		return f(ctx)
	})
	late := time.NewTimer(sharedWait)
	defer late.Stop()
	select {
	case r := <-done:
		v, ok = r.Val.(T)
		return v, ok, r.Err
	case <-late.C:
		return v, false, nil
	case <-ctx.Done():
		return v, false, fmt.Errorf("read the cluster's %s: %w", name, context.Cause(ctx))
	}
}
