//go:build linux

package supervisor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"

	"github.com/slipway-cd/slipway/internal/flock"
)

const lockFile = "supervisor.lock"

// lockDir takes the lock of the folder, or returns ErrBusy.
func lockDir(dir string) (*os.File, error) {
	f, err := flock.TryLock(filepath.Join(dir, lockFile))
	if err != nil {
		return nil, fmt.Errorf("lock the folder of the local target: %w", err)
	}
	if f == nil {
		return nil, ErrBusy
	}
	return f, nil
}

// IsRunning reports whether a supervisor is running in the folder.
func IsRunning(dir string) (bool, error) {
	held, err := flock.Held(filepath.Join(dir, lockFile))
	if err != nil {
		return false, fmt.Errorf("check the lock of the local target: %w", err)
	}
	return held, nil
}

// A socket path is limited to 108 bytes, so both sides access the socket through
// an open folder.
func socket(dir string) (path string, folder *os.File, err error) {
	folder, err = os.Open(filepath.Join(dir, "run"))
	if err != nil {
		return "", nil, err
	}
	return "/proc/self/fd/" + strconv.Itoa(int(folder.Fd())) + "/supervisor.sock", folder, nil
}

func listenUnix(dir string) (net.Listener, error) {
	path, folder, err := socket(dir)
	if err != nil {
		return nil, err
	}
	defer folder.Close()
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("listen on the supervisor socket: %w", err)
	}
	listener.SetUnlinkOnClose(false) // the file descriptor in the path may be reused by then
	return listener, nil
}

// Dial connects to the supervisor of the folder.
func Dial(ctx context.Context, dir string) (net.Conn, error) {
	path, folder, err := socket(dir)
	if err != nil {
		return nil, err
	}
	defer folder.Close()
	var d net.Dialer
	return d.DialContext(ctx, "unix", path)
}

// ErrBusy means that another supervisor is running in the folder.
var ErrBusy = errors.New("another supervisor is using this folder")
