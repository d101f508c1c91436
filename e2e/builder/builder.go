//go:build unix

// Package builder gives the tests a real BuildKit: its daemon and its client,
// built from Go modules. The daemon runs as root on Linux, with Debian's runc.
package builder

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"

	"github.com/slipway-cd/slipway/e2e/prebuild"
	"github.com/slipway-cd/slipway/internal/flock"
)

// ErrUnsupported marks what this machine can't do: no root, a package that is missing.
var ErrUnsupported = errors.New("not supported here")

const (
	module  = "github.com/moby/buildkit"
	version = "v0.34.2" // that the programs say they are; go.mod of the module has the code
)

// Tools are the programs.
type Tools struct {
	Daemon string // buildkitd
	Client string // buildctl
}

// Ensure builds the programs into bin/ of the repository when they are missing or
// made from other modules. That takes several minutes the first time; it logs
// when it has work to do. log may be nil.
func Ensure(ctx context.Context, log io.Writer) (Tools, error) {
	if err := supported(); err != nil {
		return Tools{}, err
	}
	sources, err := prebuild.ModuleDir("e2e/builder/buildkit")
	if err != nil {
		return Tools{}, err
	}
	bin := filepath.Join(sources, "..", "..", "..", "bin")
	if err := os.MkdirAll(bin, 0o755); err != nil {
		return Tools{}, fmt.Errorf("create the folder of the programs: %w", err)
	}
	alone, err := flock.Lock(ctx, filepath.Join(bin, "buildkit.lock"), nil)
	if err != nil {
		return Tools{}, err
	}
	defer alone.Close()
	t := Tools{Daemon: filepath.Join(bin, "buildkitd"), Client: filepath.Join(bin, "buildctl")}
	return t, t.build(ctx, sources, log)
}

func supported() error {
	if runtime.GOOS != "linux" || os.Geteuid() != 0 {
		return fmt.Errorf("BuildKit for the tests: %w: requires Linux and root", ErrUnsupported)
	}
	if _, err := exec.LookPath("runc"); err != nil {
		return fmt.Errorf("BuildKit for the tests: %w: runc not found (apt-get install runc)", ErrUnsupported)
	}
	return nil
}

// build runs Go unless what is there was made from the same modules. A digest
// tells, not the files' times: a fresh clone with a restored cache has younger ones.
func (t Tools) build(ctx context.Context, sources string, log io.Writer) error {
	want, err := digest(sources)
	if err != nil {
		return err
	}
	have, _ := os.ReadFile(t.Daemon + ".digest") // none is another one
	if string(have) == want && exists(t.Daemon) && exists(t.Client) {
		return nil
	}
	if log != nil {
		fmt.Fprintf(log, "building %s (the first time takes several minutes)\n", t.Daemon)
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags", flags(),
		"-o", filepath.Dir(t.Daemon), module+"/cmd/buildkitd", module+"/cmd/buildctl")
	cmd.Dir, cmd.Env = sources, append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off", "GOOS="+runtime.GOOS, "GOARCH="+runtime.GOARCH)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build BuildKit: %w: %s", err, strings.TrimSpace(string(out)))
	}
	if err := os.WriteFile(t.Daemon+".digest", []byte(want), 0o644); err != nil {
		return fmt.Errorf("build BuildKit: %w", err)
	}
	return nil
}

func flags() string { return "-s -w -X " + module + "/version.Version=" + version }

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// digest names what the programs are made from.
func digest(sources string) (string, error) {
	sum := sha256.New()
	fmt.Fprintf(sum, "%s\n%s\n%s\n", flags(), runtime.GOOS, runtime.GOARCH)
	for _, name := range []string{"go.mod", "go.sum"} {
		content, err := os.ReadFile(filepath.Join(sources, name))
		if err != nil {
			return "", fmt.Errorf("read the modules: %w", err)
		}
		fmt.Fprintf(sum, "%s %d\n%s", name, len(content), content)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}
