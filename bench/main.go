// Command bench measures what Slipway costs: on its own, and beside a shell
// script that does the same steps. It prints one table, in a few minutes:
//
//	SLIPWAY_BIN=$PWD/bin/slipway go run ./bench
//
// Everything happens in a temporary folder and on loopback addresses.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"
)

// limit is how long everything may take.
const limit = 8 * time.Minute

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if err := run(ctx, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// bench is one run of all measurements.
type bench struct {
	slipway string // the binary
	root    string // of this repository
	work    string // temporary
	story   io.Writer
	table   []row
}

// row is one line of the table.
type row struct{ what, goal, measured, ok string }

// add adds a measured value and whether it reaches its goal.
func (b *bench) add(what, goal, measured string, ok bool) {
	mark := "ok"
	if !ok {
		mark = "NOT"
	}
	b.table = append(b.table, row{what, goal, measured, mark})
}

// note adds a figure that has no goal.
func (b *bench) note(what, measured string) { b.table = append(b.table, row{what, "-", measured, ""}) }

func run(ctx context.Context, out, story io.Writer) error {
	b := &bench{slipway: os.Getenv("SLIPWAY_BIN"), story: story}
	if !filepath.IsAbs(b.slipway) {
		return fmt.Errorf("SLIPWAY_BIN=%q is no absolute path of the binary: use `make bench`", b.slipway)
	}
	var err error
	if b.root, err = os.Getwd(); err != nil {
		return err
	}
	if b.work, err = os.MkdirTemp("", "slipway-bench-"); err != nil {
		return err
	}
	defer b.clean()
	start := time.Now()
	var errs []error
	for _, part := range []struct {
		name string
		do   func(context.Context) error
	}{
		{"the program itself", b.program},
		{"the engine", b.engine},
		{"Retail", b.retail},
		{"/predict", b.predict},
	} {
		fmt.Fprintf(story, "bench: %s\n", part.name)
		if err := part.do(ctx); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", part.name, err))
		}
	}
	b.print(out, time.Since(start))
	return errors.Join(errs...)
}

// clean removes the folder; fetched models are read-only.
func (b *bench) clean() {
	_ = filepath.WalkDir(b.work, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			_ = os.Chmod(path, 0o755)
		}
		return nil
	})
	if err := os.RemoveAll(b.work); err != nil {
		fmt.Fprintln(b.story, "bench:", err)
	}
}

func (b *bench) print(out io.Writer, took time.Duration) {
	fmt.Fprintf(out, "%s/%s, %d processors, %s, %.0f s\n\n", runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), runtime.Version(), took.Seconds())
	w := tabwriter.NewWriter(out, 2, 4, 2, ' ', 0)
	fmt.Fprintln(w, "WHAT\tGOAL\tMEASURED\t")
	for _, r := range b.table {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", r.what, r.goal, r.measured, r.ok)
	}
	_ = w.Flush()
}

// command prepares a command in a folder, with a plain environment.
func (b *bench) command(ctx context.Context, dir, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "SLIPWAY_") && !strings.HasPrefix(kv, "GITHUB_") && !strings.HasPrefix(kv, "DATA=") {
			cmd.Env = append(cmd.Env, kv)
		}
	}
	cmd.Env = append(cmd.Env, "GIT_AUTHOR_NAME=Bench", "GIT_AUTHOR_EMAIL=b@example.com",
		"GIT_COMMITTER_NAME=Bench", "GIT_COMMITTER_EMAIL=b@example.com", "SLIPWAY_ACTOR=bench")
	return cmd
}

// do runs a command to its end, which must have that exit code.
func (b *bench) do(ctx context.Context, code int, dir, name string, args ...string) (string, error) {
	cmd := b.command(ctx, dir, name, args...)
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != code {
		return "", fmt.Errorf("%s %s: %w, want exit %d\n%s%s", filepath.Base(name), strings.Join(args, " "), err, code, stdout.String(), stderr.String())
	}
	return stdout.String(), nil
}
