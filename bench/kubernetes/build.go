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

// program is a third-party program, built from a separate Go module.
type program struct {
	toolModule string // subfolder of tools
	module     string // the module that contains it
	pkg        string // package path within it
}

// buildTool builds the program, which takes minutes the first time, and returns its
// path. It builds one package at a time, to leave processors for the cluster.
func (b *bench) buildTool(ctx context.Context, t program) (string, error) {
	binary := filepath.Join(b.root, "bin", "bench", filepath.Base(t.pkg))
	_, err := b.goCommand(ctx, t, "build", "-p", "1", "-trimpath", "-ldflags", "-s -w", "-o", binary, t.module+"/"+t.pkg)
	return binary, err
}

// moduleDir returns the folder of the module's sources.
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

// installCRDs creates the CRDs that the cluster lacks, and removes them when the
// benchmark ends. Existing ones are left alone.
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

// waitEstablished waits until a new kind is served. kubectl fails on a CRD without a
// status, so it is retried.
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

// startController starts a controller with administrator rights in the namespace. Its
// output goes to a file in the namespace's folder or in the output folder.
func (p *namespace) startController(ctx context.Context, path string, args ...string) error {
	dir := p.dir
	if p.outputDir != "" {
		dir = p.outputDir
	}
	log, err := os.Create(filepath.Join(dir, filepath.Base(path)+".log"))
	if err != nil {
		return fmt.Errorf("create a log: %w", err)
	}
	defer log.Close()
	cmd := p.command(context.WithoutCancel(ctx), path, args...)
	cmd.Stdout, cmd.Stderr = log, log
	return p.startProcess(cmd)
}

// runTool runs a command. Exiting with a nonzero code is a result (false), not an
// error.
func runTool(cmd *exec.Cmd) (yes bool, err error) {
	_, err = measure.ExecCmd(cmd, 0)
	return err == nil, ignoreExitCode(err)
}
