package buildkit

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/slipway-cd/slipway/internal/flock"
	"github.com/slipway-cd/slipway/internal/wait"
)

// idleTime is how long a BuildKit of ours stays warm without a build.
const idleTime = time.Hour

// aliveInterval is how often the watcher looks whether the daemon still runs.
const aliveInterval = time.Second

// startIdleWatch starts the program that stops an idle daemon.
func (d *daemon) startIdleWatch() error {
	if d.idleProgram == "" {
		return nil
	}
	cmd := exec.Command(d.idleProgram, IdleCommand, d.dir, idleTime.String())
	cmd.Args[0] = "slipway" // for people who look at the process list
	cmd.Dir = "/"
	cmd.Env = []string{"TMPDIR=" + os.TempDir()} // nothing of ours; that is where sockets may be
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start the watcher that stops an idle BuildKit: %w", err)
	}
	go func() { _ = cmd.Wait() }() // so that it leaves no zombie if it ends before us
	return nil
}

// StopWhenIdle stops the BuildKit in a folder once it has not been used for a
// while, and returns with it. args are the folder and the duration. At most one
// watcher runs for a folder.
func StopWhenIdle(ctx context.Context, args []string) (code int) {
	if len(args) != 2 {
		return 2
	}
	idle, err := time.ParseDuration(args[1])
	if err != nil || idle <= 0 {
		return 2
	}
	d := &daemon{dir: args[0]}
	// The keeper of a daemon that ended just now may not have noticed yet.
	short, cancel := context.WithTimeout(ctx, startTimeout)
	one, err := d.lock(short, "keeper.lock", flock.LockFile, nil)
	cancel()
	if err != nil {
		return 0
	}
	defer one.Close()
	for d.alive() {
		if wait.Sleep(ctx, min(d.remaining(idle), aliveInterval)) != nil {
			return 0
		}
		if d.remaining(idle) > pollInterval {
			continue
		}
		if err := d.stop(ctx); err == nil { // one that builds is used, and asked again
			return 0
		}
		d.markUsed()
	}
	return 0
}

// remaining returns how long the daemon may still be idle.
func (d *daemon) remaining(idle time.Duration) time.Duration {
	info, err := os.Stat(d.file("use.lock"))
	if err != nil {
		return pollInterval
	}
	return max(idle-time.Since(info.ModTime()), pollInterval)
}
