//go:build linux

package container

import (
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// ListenerOn returns the socket that the kernel gives a connection to the port on
// 127.0.0.1, or "" if there is none: one look-up, whatever else listens.
func ListenerOn(port int) (socket string, err error) {
	fd, err := openDiag()
	if err != nil {
		return "", err
	}
	defer unix.Close(fd)
	if err := unix.Sendto(fd, diagOneRequest(port), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return "", fmt.Errorf("request the socket of port %d: %w", port, err)
	}
	socket, err = readListener(fd)
	if errors.Is(err, unix.ENOENT) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read the socket of port %d: %w", port, err)
	}
	return socket, nil
}

// diagOneRequest requests the socket for a connection from port 0, which is no
// established one.
func diagOneRequest(port int) []byte {
	b := diagRequest(unix.AF_INET)
	binary.NativeEndian.PutUint16(b[6:], unix.NLM_F_REQUEST)
	id := b[unix.SizeofNlMsghdr+8:]
	loopback := []byte{127, 0, 0, 1}
	binary.BigEndian.PutUint16(id, uint16(port))
	copy(id[4:], loopback)
	copy(id[20:], loopback)
	for i := range 8 { // INET_DIAG_NOCOOKIE
		id[40+i] = 0xff
	}
	return b
}

func readListener(fd int) (socket string, err error) {
	messages, err := receiveDiag(fd, make([]byte, 4<<10))
	if err != nil {
		return "", err
	}
	for _, m := range messages {
		if m.Header.Type == unix.NLMSG_ERROR {
			return "", diagError(m)
		}
		if l, ok := parseDiag(m.Data); ok {
			return l.Socket, nil
		}
	}
	return "", unix.EPROTO
}
