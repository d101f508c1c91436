package buildkit

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/flock"
	"github.com/slipway-cd/slipway/internal/wait"
)

const (
	logName        = "buildkitd.log"
	socketName     = "buildkitd.sock"
	maxLogBytes    = 4 << 20 // bytes; a longer one becomes the old one
	maxRunDirBytes = 80      // bytes of a folder's path in which sockets fit: the kernel takes 108
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

	mu            sync.Mutex // never held while the program runs
	cachedVersion string     // by the program about its version
}

func (d *daemon) address() string { return "unix://" + d.socket() }

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
			Hint("the folder belongs to another user: run as that user, or use another cache folder ($SLIPWAY_CACHE_DIR)").Cause(err)
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

// prepareDirs makes the folders, for their owner alone: who reaches the socket is
// root on the machine, or as good as the user.
func (d *daemon) prepareDirs() error {
	for _, dir := range []string{d.dir, d.runDir()} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return fault.New(fault.Denied, "create BuildKit's folder %s", dir).
				Hint("make the folder writable for you, or use another cache folder ($SLIPWAY_CACHE_DIR)").Cause(err)
		}
		info, err := os.Lstat(dir)
		if err != nil {
			return err
		}
		owner, ok := info.Sys().(*syscall.Stat_t)
		if !info.IsDir() || !ok || int(owner.Uid) != os.Geteuid() {
			return fault.New(fault.Denied, "use BuildKit in %s: the folder belongs to another user", dir).
				Hint("run as that user, or use another cache folder ($SLIPWAY_CACHE_DIR)")
		}
		if info.Mode().Perm() != 0o700 {
			if err := os.Chmod(dir, 0o700); err != nil {
				return err
			}
		}
	}
	return nil
}

// runDir is the folder of the sockets: a short one when the state's path is too long.
func (d *daemon) runDir() string {
	run := d.file("run")
	if len(run) <= maxRunDirBytes {
		return run
	}
	sum := sha256.Sum256([]byte(d.dir))
	return filepath.Join(os.TempDir(), fmt.Sprintf("slipway-%d-%s", os.Geteuid(), hex.EncodeToString(sum[:6])))
}

func (d *daemon) socket() string { return filepath.Join(d.runDir(), socketName) }

// markUsed records that the daemon is in use.
func (d *daemon) markUsed() {
	now := time.Now()
	_ = os.Chtimes(d.file("use.lock"), now, now) // then it ends earlier, and starts again
}
