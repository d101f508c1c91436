package buildkit

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/flock"
)

// settings are how the daemon shall run.
type settings struct{ program, toml string }

func (s settings) text() string { return s.program + "\n" + s.toml }

func (d *daemon) wantedSettings() (settings, error) {
	id, err := identity(d.program)
	if err != nil {
		return settings{}, err
	}
	mirrors, err := parseMirrors(d.mirrors)
	if err != nil {
		return settings{}, err
	}
	return settings{id, daemonConfig(mirrors, os.Geteuid() != 0)}, nil
}

// start starts it and waits for its answer.
func (d *daemon) start(ctx context.Context, want settings) error {
	config := d.file("buildkitd.toml")
	if err := os.WriteFile(config, []byte(want.toml), 0o600); err != nil {
		return fmt.Errorf("write BuildKit's configuration: %w", err)
	}
	if err := os.WriteFile(d.file("running"), []byte(want.text()), 0o600); err != nil {
		return fmt.Errorf("save the settings of the running BuildKit: %w", err)
	}
	log, err := d.openLog()
	if err != nil {
		return err
	}
	defer log.Close()
	// It is free, except while another process checks whether it is.
	alive, err := d.lock(ctx, "alive.lock", flock.LockFile, nil)
	if err != nil {
		return err
	}
	defer alive.Close() // the daemon goes on holding it
	cmd := d.command(config)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.ExtraFiles = []*os.File{alive}
	if err := cmd.Start(); err != nil {
		return fault.New(fault.Unavailable, "start %s", d.program).Cause(err)
	}
	ended := make(chan struct{})
	go func() { defer close(ended); _ = cmd.Wait() }() // so that it leaves no zombie if it ends before us
	_ = alive.Close()
	if err := d.waitReady(ctx, ended); err != nil {
		_ = cmd.Process.Kill()
		if ctx.Err() != nil {
			return fmt.Errorf("start BuildKit: %w", context.Cause(ctx))
		}
		return fault.New(fault.Unavailable, "start %s", d.program).
			Cause(fmt.Errorf("%w; the end of its log: %s", err, d.lastLog())).Hint("see %s", d.file(logName))
	}
	return d.startIdleWatch()
}

// command starts it detached, with nothing of ours in its environment: no
// secrets, and no mark by which a build server would end it together with the job.
func (d *daemon) command(config string) *exec.Cmd {
	args := []string{"--config", config, "--root", d.file("root"), "--addr", d.address(), "--otel-socket-path", filepath.Join(d.runDir(), "otel.sock")}
	name := d.program
	if os.Geteuid() != 0 {
		args = append([]string{"--net=host", "--state-dir=" + d.file("rootlesskit"), d.program}, args...)
		name = findTool("rootlesskit")
	}
	cmd := exec.Command(name, args...)
	cmd.Dir = "/"
	cmd.Env = []string{"PATH=" + searchPath()}
	for _, key := range passedEnv() {
		if v, ok := os.LookupEnv(key); ok {
			cmd.Env = append(cmd.Env, key+"="+v)
		}
	}
	if os.Geteuid() != 0 {
		cmd.Env = append(cmd.Env, "XDG_RUNTIME_DIR="+d.runDir()) // runc keeps its state there; /run is root's
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return cmd
}

// passedEnv are the variables that the daemon needs to reach registries.
func passedEnv() []string {
	return []string{
		"HOME", "USER", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR",
		"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "no_proxy", "all_proxy",
	}
}

func (d *daemon) openLog() (*os.File, error) {
	name := d.file(logName)
	if i, err := os.Stat(name); err == nil && i.Size() > maxLogBytes {
		_ = os.Rename(name, name+".1") // then it grows
	}
	f, err := os.OpenFile(name, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open BuildKit's log: %w", err)
	}
	return f, nil
}

// lastLog is the end of the log, in at most 300 bytes. The last line may be no more than
// that a child process has exited; why is in the one before.
func (d *daemon) lastLog() string {
	raw, err := os.ReadFile(d.file(logName))
	if err != nil {
		return "not readable"
	}
	lines := strings.Split(strings.TrimSpace(string(raw)), "\n")
	last := strings.Join(lines[max(0, len(lines)-2):], " | ")
	return last[:min(len(last), 300)]
}
