package ko_test

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/slipway-cd/slipway/internal/adapter/ko"
	"github.com/slipway-cd/slipway/internal/adapter/silenttest"
	"github.com/slipway-cd/slipway/internal/port/porttest"
)

// TestBuilder_SilentToolchain: a go that has started a program, such as git, which waits
// for a server.
func TestBuilder_SilentToolchain(t *testing.T) {
	o := porttest.GoProject(t, map[string]string{"cmd/api/main.go": porttest.Hello})
	bin := t.TempDir()
	if err := os.WriteFile(filepath.Join(bin, "go"), []byte("#!/bin/sh\nsleep 30 &\nwait\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	b := ko.New(ko.Config{})
	silenttest.Check(t, silenttest.Calls{
		"Builder.Fingerprint": func(ctx context.Context) error { _, err := b.Fingerprint(ctx); return err },
		"Builder.Build":       func(ctx context.Context) error { _, err := b.Build(ctx, o, io.Discard); return err },
	})
}
