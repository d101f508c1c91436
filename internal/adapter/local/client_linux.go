package local

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/local/supervisor"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/wait"
)

// errUnavailable means that no supervisor responded, or that it was shutting
// down. The call can be repeated.
var errUnavailable = errors.New("the supervisor is not responding")

// call calls the supervisor and starts one if necessary. It retries if the
// supervisor exits meanwhile: all calls are idempotent.
func (t *Target) call(ctx context.Context, path string, body, value any, say func(string)) error {
	var err error
	for range 4 {
		if err = t.ensure(ctx, say); err != nil {
			return err
		}
		if err = t.send(ctx, path, body, value, say); !errors.Is(err, errUnavailable) || ctx.Err() != nil {
			return err
		}
	}
	return fault.New(fault.Unavailable, "call the supervisor of the local target").
		Hint("see %s for why it exited", t.logPath()).Cause(err)
}

// send makes one call to a running supervisor.
func (t *Target) send(ctx context.Context, path string, body, value any, say func(string)) error {
	raw, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://supervisor"+path, bytes.NewReader(raw))
	if err != nil {
		return err
	}
	transport := &http.Transport{
		DisableKeepAlives: true,
		DialContext:       func(ctx context.Context, _, _ string) (net.Conn, error) { return supervisor.Dial(ctx, t.cfg.Dir) },
	}
	resp, err := (&http.Client{Transport: transport}).Do(req)
	if errors.Is(err, os.ErrPermission) {
		return fault.New(fault.Denied, "connect to the supervisor in %s", t.cfg.Dir).
			Hint("it was started by another user: run this command as that user, or use another state folder ($SLIPWAY_HOME)").Cause(err)
	}
	if err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return fmt.Errorf("%w: %w", errUnavailable, err)
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK:
		return t.readMessages(ctx, resp.Body, value, say)
	case http.StatusServiceUnavailable:
		return fmt.Errorf("%w: it is shutting down", errUnavailable)
	}
	return fault.New(fault.Internal, "call %s of the supervisor: status %d", path, resp.StatusCode)
}

// readMessages reads the messages of a response.
func (t *Target) readMessages(ctx context.Context, answer io.Reader, value any, say func(string)) error {
	lines := json.NewDecoder(answer)
	for {
		var message supervisor.Message
		err := lines.Decode(&message)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil:
			return fmt.Errorf("%w: the connection was closed: %w", errUnavailable, err)
		case message.Error != nil:
			return message.Error.Err()
		case message.Value != nil:
			return json.Unmarshal(message.Value, value)
		}
		say(message.Progress)
	}
}

// ensure starts a supervisor unless one with the same protocol version is
// running.
func (t *Target) ensure(ctx context.Context, say func(string)) error {
	deadline := time.Now().Add(30 * time.Second)
	for time.Now().Before(deadline) {
		hello, err := t.hello(ctx)
		switch {
		case err == nil && hello.Protocol == supervisor.Protocol:
			return nil
		case err == nil && hello.Protocol > supervisor.Protocol:
			return fault.New(fault.Conflict, "use the supervisor in %s: it was started by a newer Slipway (protocol %d, this version supports %d)", t.cfg.Dir, hello.Protocol, supervisor.Protocol).
				Hint("use that version, or stop the supervisor with that version's `slipway down`")
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
			return err
		}
	}
	return fault.New(fault.Unavailable, "connect to the supervisor in %s: it is running but not responding", t.cfg.Dir).
		Hint("see %s; to start a new one, stop the process that holds supervisor.lock", t.logPath())
}

func (t *Target) hello(ctx context.Context) (h supervisor.HelloResponse, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, 5*time.Second, fmt.Errorf("%w within 5 s", errUnavailable))
	defer cancel()
	err = t.send(ctx, supervisor.CallHello, struct{}{}, &h, func(string) {})
	return h, err
}

// start starts a supervisor and waits until it reports its status. started is
// false if another one holds the lock.
func (t *Target) start(ctx context.Context) (started bool, err error) {
	if err := os.MkdirAll(t.cfg.Dir, 0o755); err != nil {
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
		return false, context.Cause(ctx)
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

func (t *Target) logPath() string { return filepath.Join(t.cfg.Dir, "supervisor.log") }

// openLog opens the supervisor's log and rotates a long one.
func (t *Target) openLog() (*os.File, error) {
	if i, err := os.Stat(t.logPath()); err == nil && i.Size() > 1<<20 {
		_ = os.Rename(t.logPath(), t.logPath()+".1") // on failure it grows
	}
	f, err := os.OpenFile(t.logPath(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if errors.Is(err, os.ErrPermission) {
		return nil, fault.New(fault.Denied, "use the local target in %s", t.cfg.Dir).
			Hint("the folder is owned by another user: run as that user, or use another state folder ($SLIPWAY_HOME)").Cause(err)
	}
	if err != nil {
		return nil, fmt.Errorf("open the supervisor log: %w", err)
	}
	return f, nil
}

// absolutePath returns the path in a form that is valid in other processes.
func absolutePath(dir string) string {
	if full, err := filepath.Abs(dir); err == nil {
		return full
	}
	return strings.TrimSuffix(dir, "/")
}
