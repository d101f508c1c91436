package process_test

import (
	"context"
	"io"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/process"
	"github.com/slipway-cd/slipway/internal/adapter/silenttest"
	"github.com/slipway-cd/slipway/internal/port"
)

// TestCommands_SilentProgram: a command that ignores that it is asked to end, with a
// program in the background that holds its output.
func TestCommands_SilentProgram(t *testing.T) {
	r := process.NewCommands(process.Config{Grace: 100 * time.Millisecond, Drain: 100 * time.Millisecond})
	c := port.Command{Run: "trap '' TERM; sleep 30 & wait; sleep 30", Dir: t.TempDir(), Env: []string{"PATH=/usr/bin:/bin"}}
	silenttest.Check(t, silenttest.Calls{
		"Commands.Run": func(ctx context.Context) error { _, err := r.Run(ctx, c, io.Discard); return err },
	})
}
