//go:build linux

package container

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"
)

// Sizes and values of the kernel's interface: linux/inet_diag.h, linux/sock_diag.h.
const (
	diagByFamily   = 20      // SOCK_DIAG_BY_FAMILY
	diagListening  = 1 << 10 // TCP_LISTEN, as a set of states
	diagRequestLen = unix.SizeofNlMsghdr + 56
	diagMessageLen = 72
)

// diagListeners lists the listening TCP sockets of this process's network by
// netlink. It takes microseconds, while /proc/net/tcp lists every connection.
func diagListeners() ([]Listener, error) {
	fd, err := openDiag()
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	var all []Listener
	for _, family := range []byte{unix.AF_INET, unix.AF_INET6} {
		if err := unix.Sendto(fd, diagRequest(family), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
			return nil, fmt.Errorf("request the listening sockets: %w", err)
		}
		found, err := readListeners(fd)
		if err != nil {
			return nil, fmt.Errorf("read the listening sockets: %w", err)
		}
		all = append(all, found...)
	}
	return all, nil
}

// openDiag opens a netlink socket for requests about sockets, which waits for the
// kernel's response for a second at most.
func openDiag() (fd int, err error) {
	fd, err = unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_SOCK_DIAG)
	if err != nil {
		return -1, fmt.Errorf("open a netlink socket: %w", err)
	}
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 1}); err != nil {
		return -1, errors.Join(fmt.Errorf("limit the wait for the kernel: %w", err), unix.Close(fd))
	}
	return fd, nil
}

// receiveDiag receives the messages of one datagram.
func receiveDiag(fd int, buffer []byte) ([]syscall.NetlinkMessage, error) {
	n, _, err := unix.Recvfrom(fd, buffer, 0)
	for errors.Is(err, unix.EINTR) {
		n, _, err = unix.Recvfrom(fd, buffer, 0)
	}
	if err != nil {
		return nil, err
	}
	return syscall.ParseNetlinkMessage(buffer[:n])
}

// diagError returns the error that a message of type NLMSG_ERROR holds.
func diagError(m syscall.NetlinkMessage) error {
	if len(m.Data) < 4 {
		return unix.EPROTO
	}
	return unix.Errno(-int32(binary.NativeEndian.Uint32(m.Data)))
}

func diagRequest(family byte) []byte {
	b := make([]byte, diagRequestLen)
	binary.NativeEndian.PutUint32(b, diagRequestLen)
	binary.NativeEndian.PutUint16(b[4:], diagByFamily)
	binary.NativeEndian.PutUint16(b[6:], unix.NLM_F_REQUEST|unix.NLM_F_DUMP)
	body := b[unix.SizeofNlMsghdr:]
	body[0], body[1] = family, unix.IPPROTO_TCP
	binary.NativeEndian.PutUint32(body[4:], diagListening)
	return b
}

// readListeners reads the messages of one answer to its end.
func readListeners(fd int) ([]Listener, error) {
	var all []Listener
	buffer := make([]byte, 64<<10)
	for {
		messages, err := receiveDiag(fd, buffer)
		if err != nil {
			return nil, err
		}
		for _, m := range messages {
			switch m.Header.Type {
			case unix.NLMSG_DONE:
				return all, nil
			case unix.NLMSG_ERROR:
				return nil, diagError(m)
			}
			if l, ok := parseDiag(m.Data); ok {
				all = append(all, l)
			}
		}
	}
}

// parseDiag parses an inet_diag_msg.
func parseDiag(data []byte) (l Listener, ok bool) {
	if len(data) < diagMessageLen {
		return Listener{}, false
	}
	size := 4
	if data[0] == unix.AF_INET6 {
		size = 16
	}
	at, ok := netip.AddrFromSlice(data[8 : 8+size])
	return Listener{
		Socket:  fmt.Sprintf("socket:[%d]", binary.NativeEndian.Uint32(data[68:])),
		Address: netip.AddrPortFrom(at, binary.BigEndian.Uint16(data[4:])),
	}, ok
}
