package catalog

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/slipway-cd/slipway/internal/dumpable"
)

// RunInternal runs the internal command that args name (a supervisor, a
// container's first process, a job), if they do. It comes before anything else.
func RunInternal(args []string, out io.Writer) (code int, handled bool) {
	if len(args) == 0 {
		return 0, false
	}
	for _, c := range Default().Commands() {
		if c.Name != args[0] {
			continue
		}
		if c.Dumpable {
			if err := dumpable.Set(); err != nil {
				fmt.Fprintf(out, "slipway %s: %v\n", c.Name, err)
				return 1, true
			}
		}
		ctx := context.Background()
		if c.CatchSignals {
			var stop context.CancelFunc
			ctx, stop = signal.NotifyContext(ctx, syscall.SIGTERM, os.Interrupt)
			defer stop()
		}
		return c.Run(ctx, args[1:], out), true
	}
	return 0, false
}
