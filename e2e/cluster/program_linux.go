package cluster

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

// progressInterval is how often a build reports how far it is.
const progressInterval = 10 * time.Second

// program is a program to build from a Go module.
type program struct {
	path          string   // of the result
	module, pkg   string   // the module's folder, and the package in it or in a dependency
	modfile, tags string   // modfile is relative to the module; empty means go.mod
	flags         string   // linker flags
	also          []string // patterns of further sources, relative to the module
}

// buildIfStale builds the program unless it was built from the same sources. That is
// decided by digest, not by modification time: in a fresh clone with a restored
// cache, the sources are newer.
func (p program) buildIfStale(ctx context.Context, log io.Writer) error {
	wantDigest, err := p.digest()
	if err != nil {
		return err
	}
	haveDigest, _ := os.ReadFile(p.path + ".digest")
	if _, err := os.Stat(p.path); err == nil && string(haveDigest) == wantDigest {
		return nil
	}
	if err := p.build(ctx, log); err != nil {
		return err
	}
	if err := os.Rename(p.path+".new", p.path); err != nil {
		return fmt.Errorf("build %s: %w", p.path, err)
	}
	if err := os.WriteFile(p.path+".digest", []byte(wantDigest), 0o644); err != nil {
		return fmt.Errorf("build %s: %w", p.path, err)
	}
	return nil
}

// build builds the program next to its path, and reports its progress.
func (p program) build(ctx context.Context, log io.Writer) error {
	logf(log, "building %s (the first time takes several minutes)", p.path)
	args := []string{"build", "-v", "-trimpath", "-buildvcs=false", "-ldflags", p.flags, "-tags", p.tags, "-o", p.path + ".new"}
	if p.modfile != "" {
		args = append(args, "-modfile", p.modfile)
	}
	cmd := exec.CommandContext(ctx, "go", append(args, p.pkg)...)
	cmd.Dir, cmd.Env = p.module, append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off", "GOOS="+runtime.GOOS, "GOARCH="+runtime.GOARCH)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	var out buildOutput
	cmd.Stdout, cmd.Stderr = &out, &out
	done := make(chan struct{})
	var reporter sync.WaitGroup
	reporter.Go(func() { out.report(log, filepath.Base(p.path), done) })
	err := cmd.Run()
	close(done)
	reporter.Wait()
	if err != nil {
		if ctx.Err() != nil {
			err = ctx.Err() // more informative than "signal: terminated"
		}
		return fmt.Errorf("build %s: %w: %s", p.path, err, out.messages())
	}
	logf(log, "%s: built, %d packages compiled", filepath.Base(p.path), out.packages)
	return nil
}

// digest returns a digest of what the program is built from.
func (p program) digest() (string, error) {
	sum := sha256.New()
	fmt.Fprintf(sum, "%s\n%s\n%s\n", p.flags, runtime.GOOS, runtime.GOARCH)
	if p.tags != "" {
		fmt.Fprintln(sum, p.tags)
	}
	var sources []string
	for _, pattern := range append([]string{filepath.Join(p.pkg, "*.go")}, p.also...) {
		found, err := filepath.Glob(filepath.Join(p.module, pattern))
		if err != nil {
			return "", fmt.Errorf("list the sources in %s: %w", p.module, err)
		}
		sources = append(sources, found...)
	}
	modfile := filepath.Join(p.module, cmp.Or(p.modfile, "go.mod"))
	for _, path := range append(sources, modfile, strings.TrimSuffix(modfile, ".mod")+".sum") {
		content, err := os.ReadFile(path)
		if err != nil {
			return "", fmt.Errorf("read the sources: %w", err)
		}
		fmt.Fprintf(sum, "%s %d\n%s", filepath.Base(path), len(content), content)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// maxMessages is how many lines of a failed build are kept.
const maxMessages = 30

// buildOutput is the output of `go build -v`: a line per package that is compiled, and
// messages. It is safe for concurrent use.
type buildOutput struct {
	mu       sync.Mutex
	rest     string // an incomplete line
	packages int
	last     string // the package named last
	lines    []string
}

// Write takes a part of the output.
func (o *buildOutput) Write(part []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	lines := strings.Split(o.rest+string(part), "\n")
	o.rest = lines[len(lines)-1]
	for _, line := range lines[:len(lines)-1] {
		if line == "" || strings.ContainsAny(line, " \t:") {
			o.lines = append(o.lines, line)
			o.lines = o.lines[max(0, len(o.lines)-maxMessages):]
			continue
		}
		o.packages, o.last = o.packages+1, line
	}
	return len(part), nil
}

// report logs the progress until done is closed.
func (o *buildOutput) report(log io.Writer, name string, done <-chan struct{}) {
	begun, tick := time.Now(), time.NewTicker(progressInterval)
	defer tick.Stop()
	for {
		select {
		case <-done:
			return
		case <-tick.C:
			o.mu.Lock()
			logf(log, "%s: %.0f s, %d packages compiled, %s", name, time.Since(begun).Seconds(), o.packages, cmp.Or(o.last, "the others are cached"))
			o.mu.Unlock()
		}
	}
}

// messages returns the end of what is no package's name.
func (o *buildOutput) messages() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return strings.TrimSpace(strings.Join(o.lines, "\n") + "\n" + o.rest)
}
