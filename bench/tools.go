package main

import (
	"context"
	"path"
	"path/filepath"

	"github.com/slipway-cd/slipway/bench/measure"
)

// buildTool builds a third-party program from the module in bench/tools, which takes
// minutes the first time, and returns its path.
func (b *bench) buildTool(ctx context.Context, pkg string) (string, error) {
	binary := filepath.Join(b.root, "bin", "bench", path.Base(pkg))
	cmd := measure.Command(ctx, filepath.Join(b.root, "bench", "tools"), "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", binary, pkg)
	cmd.Env = append(cmd.Env, "CGO_ENABLED=0", "GOFLAGS=-buildvcs=false", "GOWORK=off")
	_, err := measure.ExecCmd(cmd, 0)
	return binary, err
}
