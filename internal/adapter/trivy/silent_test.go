package trivy

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/slipway-cd/slipway/internal/adapter/silenttest"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest"
)

// TestScanner_SilentProgram: a trivy that waits for the server of its database, and has
// started another program.
func TestScanner_SilentProgram(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the stand-in is a shell script")
	}
	program := filepath.Join(t.TempDir(), "trivy")
	if err := os.WriteFile(program, []byte("#!/bin/sh\nsleep 30 &\nwait\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	built := porttest.WriteLayout(t, t.TempDir(), port.ImageConfig{}, []porttest.LayerEntry{{Name: "a"}})
	o := port.ScanRequest{Layout: built.Layout, Image: delivery.Image{Repository: "a/b", Digest: built.Digest}}
	s := New(Config{Program: program})
	silenttest.Check(t, silenttest.Calls{
		"Scanner.Scan": func(ctx context.Context) error { _, err := s.Scan(ctx, o); return err },
	})
}
