package cluster

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"

	"github.com/slipway-cd/slipway/e2e/prebuild"
	"github.com/slipway-cd/slipway/internal/flock"
)

// The version that the components report; the code is that of the module's go.mod.
const version, versionMajor, versionMinor = "v1.36.3", "1", "36"

// Build builds the Kubernetes binary and the pause program if they are missing or
// were built from other sources, and returns the binary's path. The first build takes
// several minutes and is logged.
func Build(ctx context.Context, c Config) (string, error) {
	module, err := prebuild.ModuleDir("e2e/cluster/kubernetes")
	if err != nil {
		return findPrebuilt(c.Binary, err)
	}
	binary := c.Binary
	if binary == "" {
		binary = filepath.Join(module, "..", "..", "..", "bin", "kubernetes")
	}
	if binary, err = filepath.Abs(binary); err != nil {
		return "", fmt.Errorf("find the Kubernetes binary: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(binary), 0o755); err != nil {
		return "", fmt.Errorf("create the folder of the Kubernetes binary: %w", err)
	}
	lock, err := flock.Lock(ctx, binary+".lock", func() { logf(c.Log, "another process is building %s: waiting", binary) })
	if err != nil {
		return "", err
	}
	defer lock.Close()
	stamp := "-X k8s.io/component-base/version."
	flags := "-s -w " + stamp + "gitVersion=" + version + " " + stamp + "gitMajor=" + versionMajor + " " + stamp + "gitMinor=" + versionMinor + " " + stamp + "gitTreeState=clean"
	for _, t := range []program{{pausePath(binary), "./pause", "-s -w"}, {binary, ".", flags}} {
		if err := t.buildIfStale(ctx, module, c); err != nil {
			return "", err
		}
	}
	return binary, nil
}

// pausePath returns the path of the pause program, next to the binary.
func pausePath(binary string) string { return binary + "-pause" }

// findPrebuilt returns a binary whose sources are not available here.
func findPrebuilt(binary string, noSources error) (string, error) {
	if binary == "" {
		return "", noSources
	}
	for _, path := range []string{binary, pausePath(binary)} {
		if _, err := os.Stat(path); err != nil {
			return "", errors.Join(fmt.Errorf("find the Kubernetes binary: %w", err), noSources)
		}
	}
	return filepath.Abs(binary)
}

// program is a program to build: its output path, package and linker flags.
type program struct{ path, pkg, flags string }

// buildIfStale builds the program unless it was built from the same sources. That is
// decided by digest, not by modification time: in a fresh clone with a restored
// cache, the sources are newer.
func (t program) buildIfStale(ctx context.Context, module string, c Config) error {
	wantDigest, err := t.digest(module)
	if err != nil {
		return err
	}
	haveDigest, _ := os.ReadFile(t.path + ".digest")
	if _, err := os.Stat(t.path); err == nil && string(haveDigest) == wantDigest {
		return nil
	}
	logf(c.Log, "building %s (the first time takes several minutes)", t.path)
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags", t.flags, "-o", t.path+".new", t.pkg)
	cmd.Dir, cmd.Env = module, append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off", "GOOS="+runtime.GOOS, "GOARCH="+runtime.GOARCH)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s: %w: %s", t.path, err, strings.TrimSpace(string(out)))
	}
	if err := os.Rename(t.path+".new", t.path); err != nil {
		return fmt.Errorf("build %s: %w", t.path, err)
	}
	if err := os.WriteFile(t.path+".digest", []byte(wantDigest), 0o644); err != nil {
		return fmt.Errorf("build %s: %w", t.path, err)
	}
	return nil
}

// digest returns a digest of what the program is built from.
func (t program) digest(module string) (string, error) {
	sum := sha256.New()
	fmt.Fprintf(sum, "%s\n%s\n%s\n", t.flags, runtime.GOOS, runtime.GOARCH)
	sources, err := filepath.Glob(filepath.Join(module, t.pkg, "*.go"))
	if err != nil {
		return "", fmt.Errorf("list the sources in %s: %w", module, err)
	}
	for _, path := range append(sources, filepath.Join(module, "go.mod"), filepath.Join(module, "go.sum")) {
		content, err := os.ReadFile(path)
		if err != nil {
			return "", fmt.Errorf("read the sources: %w", err)
		}
		fmt.Fprintf(sum, "%s %d\n%s", filepath.Base(path), len(content), content)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}
