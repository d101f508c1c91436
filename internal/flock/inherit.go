package flock

import (
	"context"
	"os"
	"runtime"
	"slices"
)

type inheritKey struct{}

// Inherit returns a context whose child processes keep the lock on f until the
// last of them is gone. The kernel frees a killed process's lock at once, while
// its children may go on writing: whoever takes the lock next would meet them.
// A process that is meant to outlive its starter must not inherit.
func Inherit(ctx context.Context, f *os.File) context.Context {
	return context.WithValue(ctx, inheritKey{}, append(slices.Clone(Inherited(ctx)), f))
}

// Inherited returns the locked files that a child process started under ctx has
// to keep open, for exec.Cmd.ExtraFiles. Windows hands down no files.
func Inherited(ctx context.Context) []*os.File {
	files, _ := ctx.Value(inheritKey{}).([]*os.File)
	if runtime.GOOS == "windows" {
		return nil
	}
	return files
}
