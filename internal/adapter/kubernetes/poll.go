package kubernetes

import (
	"context"
	"time"
)

// pace is how often is looked where nothing can be watched.
const pace = 100 * time.Millisecond

// poll looks until ok, an error, or the context's end.
func poll(ctx context.Context, ok func() (bool, error)) error {
	for {
		done, err := ok()
		if done || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(pace):
		}
	}
}
