//go:build linux

package container

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/slipway-cd/slipway/internal/sandbox"
)

// serveNetwork runs in the process that has a new network: it starts the container
// in it, hands out sockets, and reports how the container ends.
func serveNetwork(o initRequest, request *json.Decoder, status io.Writer) error {
	if err := loopbackUp(o.Port); err != nil {
		return err
	}
	go handOutSockets(5)
	terminated := make(chan os.Signal, 1)
	signal.Notify(terminated, syscall.SIGTERM)
	spawner := NewSpawner()
	// bwrap refuses to run with capabilities, and nothing needs them any more.
	if err := spawner.do(func() error { return unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) }); err != nil {
		return sandbox.Annotate("drop the ambient capabilities", err)
	}
	var inner Runtime = Namespaces{InitArgs: o.Network.InitArgs, Spawner: spawner}
	if o.Network.Bubblewrap != "" {
		inner = Bubblewrap{Path: o.Network.Bubblewrap, Mark: o.Network.Mark, Sizes: o.Network.Sizes, Spawner: spawner}
	}
	lines := json.NewEncoder(status)
	c, err := inner.Start(o.Network.Spec, os.Stdout, func(s Started) {
		var begin beginRequest
		if lines.Encode(networkStatus{Started: &s}) != nil || request.Decode(&begin) != nil {
			os.Exit(125) // the supervisor is gone, and the container dies with this process
		}
		dieWith(begin.Pasta, terminated)
	})
	if err != nil {
		return fromInside(err)
	}
	if err := lines.Encode(networkStatus{Running: true}); err != nil {
		return err
	}
	exit := c.Wait()
	_ = lines.Encode(networkStatus{Exit: &exit}) // the supervisor is gone
	os.Exit(0)
	return nil
}

// fromInside keeps what failed and the error number.
func fromInside(err error) error {
	var at *sandbox.InitError
	if errors.As(err, &at) {
		return &sandbox.StepError{Action: at.Action, Err: &insideError{at.Text, at.Errno}}
	}
	return &sandbox.StepError{Action: "start", Err: err}
}

type insideError struct {
	text  string
	errno syscall.Errno
}

func (e *insideError) Error() string { return e.text }

func (e *insideError) Unwrap() error {
	if e.errno == 0 {
		return nil
	}
	return e.errno
}

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
