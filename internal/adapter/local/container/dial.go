//go:build linux

package container

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// network is the way from this process to a network of its own.
type network struct {
	turn chan struct{} // holds a value while a request is made
	conn *net.UnixConn // to the process in it
	last byte          // number of the last request

	launcher *session // with that process
}

// newNetwork returns the two ends of the connection between this process and the
// one in the network.
func newNetwork() (ours *network, theirs *os.File, err error) {
	conn, theirs, err := socketPair("network")
	if err != nil {
		return nil, nil, err
	}
	return &network{turn: make(chan struct{}, 1), conn: conn}, theirs, nil
}

// Close ends the process in the network.
func (n *network) Close() error {
	err := n.conn.Close()
	if n.launcher != nil {
		n.launcher.end()
	}
	return err
}

// socketTimeout is how long the process in the network may take for a socket.
const socketTimeout = 2 * time.Second

// socket returns a new TCP socket in the network. It takes its turn among other callers,
// and gives up when ctx ends.
func (n *network) socket(ctx context.Context) (*os.File, error) {
	select {
	case n.turn <- struct{}{}:
		defer func() { <-n.turn }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	if err := n.conn.SetDeadline(time.Now().Add(socketTimeout)); err != nil {
		return nil, err
	}
	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() { defer close(ended); _ = n.conn.SetDeadline(time.Unix(1, 0)) })
	file, err := n.request()
	if !stop() {
		<-ended // or it would set the deadline of the next caller
	}
	if err != nil && ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return file, err
}

// request asks the process in the network for a socket.
func (n *network) request() (*os.File, error) {
	n.last++
	if _, err := n.conn.Write([]byte{n.last}); err != nil {
		return nil, err
	}
	answer, rights := make([]byte, 2), make([]byte, unix.CmsgSpace(4))
	for {
		got, size, _, _, err := n.conn.ReadMsgUnix(answer, rights)
		if err != nil {
			return nil, err
		}
		if got != len(answer) {
			return nil, io.ErrUnexpectedEOF
		}
		file := receivedFile(rights[:size])
		switch {
		case answer[0] != n.last: // of a request that was given up
			if file != nil {
				file.Close()
			}
		case file == nil:
			return nil, unix.Errno(answer[1])
		default:
			return file, nil
		}
	}
}

// receivedFile returns the file in a control message, or nil.
func receivedFile(rights []byte) *os.File {
	messages, err := unix.ParseSocketControlMessage(rights)
	if err != nil || len(messages) != 1 {
		return nil
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(fds) != 1 {
		return nil
	}
	unix.CloseOnExec(fds[0])
	return os.NewFile(uintptr(fds[0]), "socket")
}

// Dial connects to a port of the container on loopback.
func (b *Container) Dial(ctx context.Context, port int) (net.Conn, error) {
	if b.network == nil {
		var d net.Dialer
		return d.DialContext(ctx, "tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	}
	file, err := b.network.socket(ctx)
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: fmt.Errorf("get a socket of the replica's network: %w", err)}
	}
	defer file.Close() // FileConn copies it
	if err := connect(ctx, file, port); err != nil {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Addr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port}, Err: err}
	}
	return net.FileConn(file)
}

// connect connects a socket, whose network may be another one than this process's.
func connect(ctx context.Context, socket *os.File, port int) error {
	raw, err := socket.SyscallConn()
	if err != nil {
		return err
	}
	deadline, _ := ctx.Deadline() // zero: none
	if err := socket.SetWriteDeadline(deadline); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = socket.SetWriteDeadline(time.Unix(1, 0)) })
	defer stop()
	begun, failed := false, error(nil)
	err = raw.Write(func(fd uintptr) (done bool) {
		if !begun {
			begun = true
			failed = unix.Connect(int(fd), &unix.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}})
			return !errors.Is(failed, unix.EINPROGRESS)
		}
		failed = socketError(int(fd))
		return !errors.Is(failed, unix.EINPROGRESS)
	})
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return errors.Join(err, failed)
}

// socketError returns how a connection attempt ended: EINPROGRESS if it has not.
func socketError(fd int) error {
	code, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
	if err != nil {
		return err
	}
	if code != 0 {
		return unix.Errno(code)
	}
	if _, err := unix.Getpeername(fd); errors.Is(err, unix.ENOTCONN) {
		return unix.EINPROGRESS
	}
	return nil
}
