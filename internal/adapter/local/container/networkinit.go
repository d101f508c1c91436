//go:build linux

package container

import (
	"errors"
	"os"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/slipway-cd/slipway/internal/sandbox"
)

// loopbackUp brings up the loopback device of this process's network, and lets
// any user listen on the port.
func loopbackUp(port int) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return sandbox.Annotate("open a socket", err)
	}
	defer unix.Close(fd)
	device, err := unix.NewIfreq("lo")
	if err != nil {
		return sandbox.Annotate("bring up the loopback device", err)
	}
	device.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, device); err != nil {
		return sandbox.Annotate("bring up the loopback device", err)
	}
	if port >= 1024 {
		return nil
	}
	return sandbox.Annotate("permit port "+strconv.Itoa(port), os.WriteFile("/proc/sys/net/ipv4/ip_unprivileged_port_start", []byte("0"), 0o644))
}

// handOutSockets answers every request with a new socket of this network, until
// the other end is closed.
func handOutSockets(fd int) {
	runtime.LockOSThread() // it waits in the kernel
	request := make([]byte, 1)
	for {
		n, err := unix.Read(fd, request)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil || n == 0 {
			return
		}
		socket, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			code := unix.Errno(0)
			_ = errors.As(err, &code)
			_ = unix.Sendmsg(fd, []byte{request[0], byte(code)}, nil, nil, 0)
			continue
		}
		_ = unix.Sendmsg(fd, []byte{request[0], 0}, unix.UnixRights(socket), nil, 0) // the next read fails, too
		unix.Close(socket)
	}
}
