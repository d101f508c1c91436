package buildkit

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/flock"
	"github.com/slipway-cd/slipway/internal/wait"
)

const (
	startTimeout = 30 * time.Second // a BuildKit of ours may take to answer, or to end
	pollInterval = 20 * time.Millisecond
)

// daemon is a BuildKit that Slipway starts, in a folder of its own. It outlives
// the command that started it, so that the next build finds it warm. Any number
// of processes may use it at once; two kernel locks in the folder keep order:
// use.lock is shared by builds and taken alone to start, change or stop it, and
// alive.lock is held by the daemon itself, so that a dead one is never waited for.
type daemon struct {
	dir         string
	program     string
	mirrors     string
	idleProgram string // program that ends an idle one; "": none

	mu            sync.Mutex
	cachedVersion string // by the program about its version
}

func (d *daemon) address() string { return "unix://" + d.socket() }

// acquire ensures that the daemon runs as configured, and keeps it running until
// release.
func (d *daemon) acquire(ctx context.Context, say func(string)) (release func(), err error) {
	want, err := d.wantedSettings()
	if err != nil {
		return nil, err
	}
	if err := d.prepareDirs(); err != nil {
		return nil, err
	}
	for range 5 {
		held, err := d.lock(ctx, "use.lock", flock.LockFileShared, nil)
		if err != nil {
			return nil, err
		}
		if d.alive() && d.running() == want.text() {
			if err := d.waitReady(ctx, nil); err == nil {
				d.markUsed()
				return func() { d.markUsed(); _ = held.Close() }, nil
			} else if ctx.Err() != nil {
				_ = held.Close()
				return nil, err
			}
		}
		_ = held.Close()
		if err := d.restart(ctx, want, say); err != nil {
			return nil, err
		}
	}
	return nil, fault.New(fault.Conflict, "start BuildKit in %s: other processes keep restarting it with different settings", d.dir).
		Hint("check that %s and %s are the same in every terminal", MirrorsVariable, ProgramVariable)
}

// restart starts the daemon under the exclusive lock; one with other settings is
// stopped first, once its builds are done.
func (d *daemon) restart(ctx context.Context, want settings, say func(string)) error {
	held, err := d.lock(ctx, "use.lock", flock.LockFile, func() { say("waiting for another build before restarting BuildKit") })
	if err != nil {
		return err
	}
	defer held.Close()
	if d.alive() {
		if d.running() == want.text() && d.waitReady(ctx, nil) == nil {
			return nil // another process was quicker
		}
		if err := d.terminate(ctx); err != nil {
			return err
		}
	}
	say("starting BuildKit")
	return d.start(ctx, want)
}

// stop stops the daemon, unless a build is in progress.
func (d *daemon) stop(ctx context.Context) error {
	if _, err := os.Stat(d.file("alive.lock")); errors.Is(err, os.ErrNotExist) || !d.alive() {
		return nil
	}
	f, err := d.open("use.lock")
	if err != nil {
		return err
	}
	defer f.Close()
	free, err := flock.Try(f)
	if err != nil {
		return err
	}
	if !free {
		return fault.New(fault.Conflict, "stop BuildKit in %s: a build is in progress", d.dir).Hint("wait for the build, or cancel it")
	}
	return d.terminate(ctx)
}

// terminate sends signals to the daemon and waits until it has exited.
func (d *daemon) terminate(ctx context.Context) error {
	for _, s := range []os.Signal{unix.SIGTERM, unix.SIGKILL} {
		process, err := d.process(ctx)
		if err != nil && d.alive() {
			return fault.New(fault.Unavailable, "stop BuildKit in %s: it is not responding", d.dir).
				Hint("stop the buildkitd that holds %s; its log is %s", d.file("alive.lock"), d.file(logName)).Cause(err)
		}
		if d.alive() {
			_ = process.Signal(s) // one that is gone is fine: its lock tells
		}
		until := time.Now().Add(startTimeout)
		for d.alive() && time.Now().Before(until) {
			if err := wait.Sleep(ctx, pollInterval); err != nil {
				return fmt.Errorf("wait for BuildKit to end: %w", err)
			}
		}
		if !d.alive() {
			return nil
		}
	}
	return fault.New(fault.Internal, "stop BuildKit in %s: it did not exit", d.dir)
}

// process returns the process that listens on the socket, from the kernel and not
// from a file.
func (d *daemon) process(ctx context.Context) (*os.Process, error) {
	conn, err := d.dialSocket(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	raw, err := conn.(*net.UnixConn).SyscallConn()
	if err != nil {
		return nil, err
	}
	var peer *unix.Ucred
	var asked error
	if err := raw.Control(func(fd uintptr) {
		peer, asked = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); err != nil {
		return nil, err
	}
	if asked != nil {
		return nil, asked
	}
	return os.FindProcess(int(peer.Pid))
}

func (d *daemon) dialSocket(ctx context.Context) (net.Conn, error) {
	var dialer net.Dialer
	return dialer.DialContext(ctx, "unix", d.socket())
}

// waitReady waits until the daemon accepts connections. It gives up when ended is
// closed or, if that is nil, when the daemon's lock is free.
func (d *daemon) waitReady(ctx context.Context, ended <-chan struct{}) error {
	until := time.Now().Add(startTimeout)
	for {
		conn, err := d.dialSocket(ctx)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-ended:
			return errExited
		default:
		}
		if ended == nil && !d.alive() {
			return errExited
		}
		if time.Now().After(until) {
			return fmt.Errorf("no response within %s: %w", startTimeout, err)
		}
		if err := wait.Sleep(ctx, pollInterval); err != nil {
			return err
		}
	}
}

var errExited = errors.New("the process exited")

// version runs the program once, and caches its version between processes.
func (d *daemon) version(ctx context.Context) (string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.cachedVersion != "" {
		return d.cachedVersion, nil
	}
	id, err := identity(d.program)
	if err != nil {
		return "", err
	}
	if kept, err := os.ReadFile(d.file("version")); err == nil {
		if of, v, ok := strings.Cut(strings.TrimSpace(string(kept)), "\n"); ok && of == id {
			d.cachedVersion = v
			return v, nil
		}
	}
	out, err := exec.CommandContext(ctx, d.program, "--version").Output()
	words := strings.Fields(string(out)) // buildkitd github.com/moby/buildkit v0.34.2 COMMIT
	if err != nil || len(words) < 3 {
		return "", fault.New(fault.Unavailable, "get the version of %s", d.program).Hint("is it BuildKit's daemon?").Cause(err)
	}
	d.cachedVersion = words[2]
	if d.prepareDirs() == nil {
		_ = os.WriteFile(d.file("version"), []byte(id+"\n"+d.cachedVersion+"\n"), 0o600) // then the next process asks again
	}
	return d.cachedVersion, nil
}

func (d *daemon) file(name string) string { return filepath.Join(d.dir, name) }

// running returns the settings of the daemon that was started last.
func (d *daemon) running() string {
	raw, _ := os.ReadFile(d.file("running")) // none is another one than what is wanted
	return string(raw)
}

// alive reports whether the daemon runs: it holds this lock until it has exited.
func (d *daemon) alive() bool {
	held, err := flock.Held(d.file("alive.lock"))
	return held && err == nil
}

func (d *daemon) open(name string) (*os.File, error) {
	f, err := os.OpenFile(d.file(name), os.O_CREATE|os.O_RDWR, 0o600)
	if errors.Is(err, os.ErrPermission) {
		return nil, fault.New(fault.Denied, "use BuildKit in %s", d.dir).
			Hint("the folder belongs to another user: run as that user, or use another state folder ($SLIPWAY_HOME)").Cause(err)
	}
	if err != nil {
		return nil, fmt.Errorf("open BuildKit's %s: %w", name, err)
	}
	return f, nil
}

// lock takes a lock, which goes with the file's last holder. onBusy is called once
// while another process holds it.
func (d *daemon) lock(ctx context.Context, name string, take func(context.Context, *os.File, func()) error, onBusy func()) (*os.File, error) {
	f, err := d.open(name)
	if err != nil {
		return nil, err
	}
	if err := take(ctx, f, onBusy); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("wait for BuildKit in %s: %w", d.dir, err)
	}
	return f, nil
}
