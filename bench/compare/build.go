package main

import (
	"context"
	"os"
	"path/filepath"

	"github.com/slipway-cd/slipway/bench/measure"
)

// build has the programs of one version.
type build struct {
	root    string // of its tree
	slipway string
	front   string // the front proxy alone
	bench   string // for the engine
}

// buildBoth builds the commit in a worktree of its own, which remove takes away, and this
// tree.
func buildBoth(ctx context.Context, base, work string) (before, after build, remove func() error, err error) {
	root, err := os.Getwd()
	if err != nil {
		return before, after, nil, err
	}
	tree := filepath.Join(work, "tree")
	if _, err := measure.Exec(ctx, 0, root, "git", "worktree", "add", "--detach", tree, base); err != nil {
		return before, after, nil, err
	}
	remove = func() error {
		_, err := measure.Exec(context.WithoutCancel(ctx), 0, root, "git", "worktree", "remove", "--force", tree)
		return err
	}
	if before, err = buildIn(ctx, tree, filepath.Join(work, "before")); err == nil {
		after, err = buildIn(ctx, root, filepath.Join(work, "after"))
	}
	if err != nil {
		_ = remove() // the error of the build is the one to see
		return before, after, nil, err
	}
	return before, after, remove, nil
}

func buildIn(ctx context.Context, root, to string) (build, error) {
	b := build{root: root, slipway: filepath.Join(root, "bin", "slipway"), front: filepath.Join(to, "front"), bench: filepath.Join(to, "bench")}
	if _, err := measure.Exec(ctx, 0, root, "make", "bin/slipway"); err != nil {
		return b, err
	}
	for program, pkg := range map[string]string{b.front: "./bench/front", b.bench: "./bench"} {
		cmd := measure.Command(ctx, root, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", program, pkg)
		cmd.Env = append(cmd.Env, "CGO_ENABLED=0")
		if _, err := measure.ExecCmd(cmd, 0); err != nil {
			return b, err
		}
	}
	return b, nil
}
