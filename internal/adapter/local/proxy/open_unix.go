//go:build unix

package proxy

import "syscall"

// hasNothingToRead reports whether the other side of a connection has neither
// closed it nor sent anything. What it sent is lost.
func hasNothingToRead(fd uintptr, into []byte) bool {
	_, err := syscall.Read(int(fd), into)
	return err == syscall.EAGAIN
}

// isClosed reports whether the other side has closed the connection after what it
// has sent and was read.
func isClosed(fd uintptr) bool {
	var one [1]byte
	n, _, err := syscall.Recvfrom(int(fd), one[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
	return n == 0 && err == nil || err != nil && err != syscall.EAGAIN && err != syscall.EINTR
}
