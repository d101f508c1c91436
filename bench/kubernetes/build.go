package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/slipway-cd/slipway/bench/measure"
)

// tool is somebody else's program, built from a Go module of its own.
type tool struct {
	module string // folder below tools
	of     string // the module that has it
	pkg    string // below that
}

// path builds the program, which takes minutes for the first time, and returns
// where it is. One job at a time: the cluster wants the processors, too.
func (b *bench) path(ctx context.Context, t tool) (string, error) {
	binary := filepath.Join(b.root, "bin", "bench", filepath.Base(t.pkg))
	_, err := b.modules(ctx, t, "build", "-p", "1", "-trimpath", "-ldflags", "-s -w", "-o", binary, t.of+"/"+t.pkg)
	return binary, err
}

// source is where the module's files are.
func (b *bench) source(ctx context.Context, t tool) (string, error) {
	out, err := b.modules(ctx, t, "list", "-m", "-f", "{{.Dir}}", t.of)
	return strings.TrimSpace(out), err
}

func (b *bench) modules(ctx context.Context, t tool, args ...string) (string, error) {
	dir := filepath.Join(b.root, "bench", "kubernetes", "tools", t.module)
	cmd := measure.Command(ctx, dir, "nice", append([]string{"go"}, args...)...)
	cmd.Env = append(cmd.Env, "CGO_ENABLED=0", "GOFLAGS=-buildvcs=false", "GOWORK=off")
	return measure.ExecCmd(cmd, 0)
}

// crds gives the cluster kinds that it lacks, and takes them away again when the
// bench ends. Kinds that are there belong to somebody, and stay as they are.
func (b *bench) crds(ctx context.Context, files ...string) error {
	for _, file := range files {
		if _, err := b.cluster.Kubectl(ctx, "get", "-f", file); err == nil {
			continue
		}
		if _, err := b.cluster.Kubectl(ctx, "create", "-f", file); err != nil {
			return err
		}
		b.undo = append(b.undo, func(ctx context.Context) error {
			_, err := b.cluster.Kubectl(ctx, "delete", "--wait=false", "-f", file)
			return err
		})
		if err := b.established(ctx, file); err != nil {
			return err
		}
	}
	return nil
}

// established waits until the cluster serves a new kind. kubectl can't wait for what
// has no status yet, so it is asked again.
func (b *bench) established(ctx context.Context, file string) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		_, err := b.cluster.Kubectl(ctx, "wait", "--for=condition=Established", "--timeout=30s", "-f", file)
		if err == nil || pause(ctx, look) != nil {
			return err
		}
	}
}

// controller starts one with an administrator's rights in the place. What it says
// goes into a file there, or into the folder for what is kept.
func (p *place) controller(ctx context.Context, path string, args ...string) error {
	dir := p.dir
	if p.keep != "" {
		dir = p.keep
	}
	log, err := os.Create(filepath.Join(dir, filepath.Base(path)+".log"))
	if err != nil {
		return fmt.Errorf("make a log: %w", err)
	}
	defer log.Close()
	cmd := p.command(context.WithoutCancel(ctx), path, args...)
	cmd.Stdout, cmd.Stderr = log, log
	return p.start(cmd)
}

// asked runs a command whose no is an answer: false, and no error.
func asked(cmd *exec.Cmd) (yes bool, err error) {
	_, err = measure.ExecCmd(cmd, 0)
	return err == nil, refused(err)
}
