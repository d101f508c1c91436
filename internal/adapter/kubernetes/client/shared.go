package client

import "context"

// shared calls f once for all who ask for the same name at the same time. The call
// has its own context: a caller that gives up does not end it for the others, and
// each caller waits no longer than its own context lasts.
func shared[T any](ctx context.Context, c *Client, name string, f func(context.Context) (T, error)) (T, error) {
	var zero T
	done := c.group.DoChan(name, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), maxOutage)
		defer cancel()
		return f(ctx)
	})
	select {
	case r := <-done:
		v, ok := r.Val.(T)
		if r.Err != nil || !ok {
			return zero, r.Err
		}
		return v, nil
	case <-ctx.Done():
		return zero, context.Cause(ctx)
	}
}
