package git_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/adapter/git"
	"github.com/slipway-cd/slipway/internal/adapter/silenttest"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
)

// unknownCommit is in no clone.
func unknownCommit() delivery.Commit {
	return delivery.Commit{SHA: strings.Repeat("2", 40), Tree: strings.Repeat("3", 40)}
}

// TestFetch_SilentServer: an origin that fails to answer, over HTTP and git's protocol.
func TestFetch_SilentServer(t *testing.T) {
	r := newRepository(t, "")
	calls := func(t *testing.T, url string) silenttest.Calls {
		top := clone(t, r.Dir)
		runGit(t, top, "remote", "set-url", "origin", url+"/retail.git")
		s := git.New(top)
		return silenttest.Calls{
			"Source.Fetch": func(ctx context.Context) error { return s.Fetch(ctx, unknownCommit()) },
		}
	}
	silenttest.TestHTTP(t, calls)
	for name, serve := range silenttest.Raw() {
		t.Run("git's server "+name, func(t *testing.T) {
			t.Parallel()
			silenttest.Check(t, calls(t, silenttest.Listen(t, serve).URL("git")))
		})
	}
}

// TestSource_SilentHelper: a git that has started a helper, such as that of a remote or of
// Git LFS, which waits for a server.
func TestSource_SilentHelper(t *testing.T) {
	r := newRepository(t, "")
	head, err := r.Source.Head(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(t.TempDir(), "git")
	write(t, program, "#!/bin/sh\nsleep 30 &\nwait\n")
	if err := os.Chmod(program, 0o755); err != nil {
		t.Fatal(err)
	}
	s, guard, dir := git.Source{Dir: r.Dir, Program: program}, git.Guard{Program: program}, t.TempDir()
	silenttest.Check(t, silenttest.Calls{
		"Source.Head":           func(ctx context.Context) error { _, err := s.Head(ctx, true); return err },
		"Source.Files":          func(ctx context.Context) error { _, err := s.Files(ctx, head.Tree); return err },
		"Source.Changed":        func(ctx context.Context) error { _, err := s.Changed(ctx, head.Tree, head.Tree[:39]+"0"); return err },
		"Source.Checkout":       func(ctx context.Context) error { return s.Checkout(ctx, head.Tree, filepath.Join(dir, "out")) },
		"Source.CheckTree":      func(ctx context.Context) error { return s.CheckTree(ctx, head.Tree, []port.File{{Path: "a"}}) },
		"Source.Folder":         func(ctx context.Context) error { _, err := s.Folder(ctx, head.Tree); return err },
		"Source.ReadBranch":     func(ctx context.Context) error { _, _, _, err := s.ReadBranch(ctx, "main", "a"); return err },
		"Source.Fetch":          func(ctx context.Context) error { return s.Fetch(ctx, unknownCommit()) },
		"Guard.Tracked":         func(ctx context.Context) error { _, err := guard.Tracked(ctx, r.Dir, ".slipway"); return err },
		"Guard.SafeDirectories": func(ctx context.Context) error { _, err := guard.SafeDirectories(ctx); return err },
	})
}
