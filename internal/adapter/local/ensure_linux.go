package local

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/local/supervisor"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/wait"
)

// call calls the supervisor and starts one if necessary. It retries if the
// supervisor exits meanwhile: all calls are idempotent.
func (t *Target) call(ctx context.Context, path string, body, value any, say func(string)) error {
	var err error
	revision := 0
	if o, ok := body.(supervisor.ReleaseRequest); ok {
		revision = o.Revision()
	}
	for range 4 {
		if err = t.ensure(ctx, revision, say); err != nil {
			return err
		}
		if err = t.send(ctx, path, body, value, say); !errors.Is(err, errUnavailable) || ctx.Err() != nil {
			return err
		}
	}
	return fault.New(fault.Unavailable, "call the supervisor of the local target").
		Hint("see %s for why it exited", t.logPath()).Cause(err)
}

// ensure starts a supervisor unless one with the same protocol version, and at
// least that revision, is running here.
func (t *Target) ensure(ctx context.Context, revision int, say func(string)) error {
	deadline := time.Now().Add(30 * time.Second)
	for time.Now().Before(deadline) {
		hello, err := t.hello(ctx)
		switch {
		case err == nil && hello.Protocol == supervisor.Protocol && hello.Revision >= revision && !hello.Moved:
			return nil
		case err == nil && hello.Protocol > supervisor.Protocol:
			return fault.New(fault.Conflict, "use the supervisor in %s: it was started by a newer Slipway (protocol %d, this version supports %d)", t.cfg.Dir, hello.Protocol, supervisor.Protocol).
				Hint("use that version, or stop the supervisor with that version's `slipway down`")
		case err == nil && hello.Moved:
			say("the state folder was moved: the supervisor starts again where it is now, and its replicas with it")
			if err := t.Down(ctx); err != nil {
				return err
			}
		case err == nil:
			say("replacing the supervisor of an older version; its replicas restart")
			if err := t.Down(ctx); err != nil {
				return err
			}
		case !errors.Is(err, errUnavailable):
			return err
		}
		started, err := t.start(ctx)
		if err != nil || started {
			return err
		}
		if err := wait.Sleep(ctx, 20*time.Millisecond); err != nil { // another one is starting or exiting
			return fmt.Errorf("wait for the supervisor that is starting or exiting: %w", err)
		}
	}
	return fault.New(fault.Unavailable, "connect to the supervisor in %s: it is running but not responding", t.cfg.Dir).
		Hint("see %s; to start a new one, stop the process that holds supervisor.lock", t.logPath())
}

// start starts a supervisor and waits until it reports its status. started is
// false if another one holds the lock.
func (t *Target) start(ctx context.Context) (started bool, err error) {
	if err := os.MkdirAll(t.cfg.Dir, 0o700); err != nil {
		return false, fmt.Errorf("create the folder of the local target: %w", err)
	}
	logFile, err := t.openLog()
	if err != nil {
		return false, err
	}
	defer logFile.Close()
	startup, startupWriter, err := os.Pipe()
	if err != nil {
		return false, err
	}
	defer startup.Close()
	cmd := exec.Command(t.cfg.Executable, superviseArgs(t.cfg)...)
	cmd.Args[0] = "slipway" // shown in process lists
	cmd.Dir = "/"
	// No inherited variables: they may be secrets, or mark the process as part of
	// a CI job, whose processes the CI kills at its end.
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME")}
	cmd.Stdout, cmd.Stderr = logFile, logFile
	cmd.ExtraFiles = []*os.File{startupWriter}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	err = cmd.Start()
	startupWriter.Close()
	if err != nil {
		return false, fault.New(fault.Internal, "start the supervisor %s", t.cfg.Executable).Cause(err)
	}
	go func() { _ = cmd.Wait() }() // reap it if it exits first
	return t.readStartup(ctx, startup)
}

func (t *Target) readStartup(ctx context.Context, startup *os.File) (started bool, err error) {
	stop := context.AfterFunc(ctx, func() { _ = startup.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	text, err := io.ReadAll(io.LimitReader(startup, 64<<10))
	if ctx.Err() != nil {
		return false, fmt.Errorf("start the supervisor: %w", context.Cause(ctx))
	}
	if err != nil {
		return false, fmt.Errorf("read the startup status of the supervisor: %w", err)
	}
	switch string(text) {
	case startupReady:
		return true, nil
	case startupBusy:
		return false, nil
	}
	var f supervisor.RemoteError
	if json.Unmarshal(text, &f) == nil && f.Text != "" {
		return false, f.Err()
	}
	return false, fault.New(fault.Internal, "start the supervisor: it exited immediately").Hint("see %s for the reason", t.logPath())
}
