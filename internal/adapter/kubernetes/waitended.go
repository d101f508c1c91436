package kubernetes

import (
	"context"
	"fmt"
)

// waitEnded names what was being done when ctx ended, where err is only ctx's cause.
func waitEnded(ctx context.Context, act string, err error) error {
	if err == nil || ctx.Err() == nil || err.Error() != context.Cause(ctx).Error() {
		return err
	}
	return fmt.Errorf("%s: %w", act, err)
}
