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

// program is somebody else's program, built from a Go module of its own.
type program struct {
	toolModule string // folder below tools
	module     string // the module that has it
	pkg        string // below that
}

// buildTool builds the program, which takes minutes for the first time, and returns
// where it is. One job at a time: the cluster wants the processors, too.
func (b *bench) buildTool(ctx context.Context, t program) (string, error) {
	binary := filepath.Join(b.root, "bin", "bench", filepath.Base(t.pkg))
	_, err := b.goCommand(ctx, t, "build", "-p", "1", "-trimpath", "-ldflags", "-s -w", "-o", binary, t.module+"/"+t.pkg)
	return binary, err
}

// moduleDir is where the module's files are.
func (b *bench) moduleDir(ctx context.Context, t program) (string, error) {
	out, err := b.goCommand(ctx, t, "list", "-m", "-f", "{{.Dir}}", t.module)
	return strings.TrimSpace(out), err
}

func (b *bench) goCommand(ctx context.Context, t program, args ...string) (string, error) {
	dir := filepath.Join(b.root, "bench", "kubernetes", "tools", t.toolModule)
	cmd := measure.Command(ctx, dir, "nice", append([]string{"go"}, args...)...)
	cmd.Env = append(cmd.Env, "CGO_ENABLED=0", "GOFLAGS=-buildvcs=false", "GOWORK=off")
	return measure.ExecCmd(cmd, 0)
}

// installCRDs gives the cluster kinds that it lacks, and takes them away again when the
// bench ends. Kinds that are there belong to somebody, and stay as they are.
func (b *bench) installCRDs(ctx context.Context, files ...string) error {
	for _, file := range files {
		if _, err := b.cluster.Kubectl(ctx, "get", "-f", file); err == nil {
			continue
		}
		if _, err := b.cluster.Kubectl(ctx, "create", "-f", file); err != nil {
			return err
		}
		b.cleanups = append(b.cleanups, func(ctx context.Context) error {
			_, err := b.cluster.Kubectl(ctx, "delete", "--wait=false", "-f", file)
			return err
		})
		if err := b.waitEstablished(ctx, file); err != nil {
			return err
		}
	}
	return nil
}

// waitEstablished waits until the cluster serves a new kind. kubectl can't wait for what
// has no status yet, so it is asked again.
func (b *bench) waitEstablished(ctx context.Context, file string) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		_, err := b.cluster.Kubectl(ctx, "wait", "--for=condition=Established", "--timeout=30s", "-f", file)
		if err == nil || sleep(ctx, pollInterval) != nil {
			return err
		}
	}
}

// startController starts one with an administrator's rights in the place. What it says
// goes into a file there, or into the folder for what is kept.
func (p *namespace) startController(ctx context.Context, path string, args ...string) error {
	dir := p.dir
	if p.outputDir != "" {
		dir = p.outputDir
	}
	log, err := os.Create(filepath.Join(dir, filepath.Base(path)+".log"))
	if err != nil {
		return fmt.Errorf("make a log: %w", err)
	}
	defer log.Close()
	cmd := p.command(context.WithoutCancel(ctx), path, args...)
	cmd.Stdout, cmd.Stderr = log, log
	return p.startProcess(cmd)
}

// runTool runs a command whose no is an answer: false, and no error.
func runTool(cmd *exec.Cmd) (yes bool, err error) {
	_, err = measure.ExecCmd(cmd, 0)
	return err == nil, ignoreExitCode(err)
}
