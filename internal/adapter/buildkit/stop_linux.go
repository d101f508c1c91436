package buildkit

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/flock"
	"github.com/slipway-cd/slipway/internal/wait"
)

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
