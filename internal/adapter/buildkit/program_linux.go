package buildkit

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/slipway-cd/slipway/internal/fault"
)

// findDaemon looks for what it takes to run a BuildKit of our own.
func findDaemon(named string) (string, error) {
	program, err := exec.LookPath(orElse(named, "buildkitd"))
	if named != "" && err != nil {
		return "", fault.New(fault.Invalid, "%s: program %s not found", ProgramVariable, named).Hint("set it to the path of a buildkitd")
	}
	if err != nil {
		return "", errors.New("not found in PATH")
	}
	if program, err = filepath.Abs(program); err != nil {
		return "", err
	}
	if findTool("runc") == "" && findTool("buildkit-runc") == "" {
		return "", errors.New("requires runc, which was not found in PATH")
	}
	if os.Geteuid() != 0 && findTool("rootlesskit") == "" {
		return "", errors.New("requires rootlesskit unless run as root, which was not found in PATH")
	}
	return program, nil
}

func orElse(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

// searchPath is PATH and the folders of system programs, which ordinary users may lack.
func searchPath() string { return os.Getenv("PATH") + ":/usr/local/sbin:/usr/sbin:/sbin" }

func findTool(name string) string {
	for _, dir := range filepath.SplitList(searchPath()) {
		full := filepath.Join(dir, name)
		if info, err := os.Stat(full); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return full
		}
	}
	return ""
}

// identity distinguishes one program from another that replaces it.
func identity(program string) (string, error) {
	info, err := os.Stat(program)
	if err != nil {
		return "", fault.New(fault.NotFound, "find %s", program).Cause(err)
	}
	return fmt.Sprintf("%s %d %d", program, info.Size(), info.ModTime().UnixNano()), nil
}

// versionWaitDelay is how long what the program leaves behind may hold its output.
const versionWaitDelay = time.Second

// version runs the program once, and caches its version between processes.
func (d *daemon) version(ctx context.Context) (string, error) {
	if v := d.cacheVersion(""); v != "" {
		return v, nil
	}
	id, err := identity(d.program)
	if err != nil {
		return "", err
	}
	if kept, err := os.ReadFile(d.file("version")); err == nil {
		if of, v, ok := strings.Cut(strings.TrimSpace(string(kept)), "\n"); ok && of == id {
			return d.cacheVersion(v), nil
		}
	}
	cmd := exec.CommandContext(ctx, d.program, "--version")
	cmd.Env, cmd.WaitDelay = []string{"PATH=" + searchPath()}, versionWaitDelay
	out, err := cmd.Output()
	words := strings.Fields(string(out)) // buildkitd github.com/moby/buildkit v0.34.2 COMMIT
	act := "get the version of " + d.program
	if ctx.Err() != nil {
		return "", fmt.Errorf("%s: %w", act, context.Cause(ctx))
	}
	if err != nil || len(words) < 3 {
		return "", fault.New(fault.Unavailable, "%s", act).Hint("is it BuildKit's daemon?").Cause(err)
	}
	if d.prepareDirs() == nil {
		_ = os.WriteFile(d.file("version"), []byte(id+"\n"+words[2]+"\n"), 0o600) // then the next process asks again
	}
	return d.cacheVersion(words[2]), nil
}

// cacheVersion keeps a version, unless it is empty, and returns the one that is kept.
func (d *daemon) cacheVersion(v string) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	if v != "" {
		d.cachedVersion = v
	}
	return d.cachedVersion
}
