//go:build linux

package container

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Listener is a socket that takes TCP connections.
type Listener struct {
	Socket  string // "socket:[123]", as file descriptors show it
	Address netip.AddrPort
}

// Accepts reports whether a connection to the port on 127.0.0.1 reaches the
// socket.
func (l Listener) Accepts(port int) bool {
	at := l.Address.Addr().Unmap()
	return int(l.Address.Port()) == port && (at.IsUnspecified() || at == netip.AddrFrom4([4]byte{127, 0, 0, 1}))
}

// IsLocal reports whether connections to 127.0.0.1 reach the socket.
func (l Listener) IsLocal() bool { return l.Accepts(int(l.Address.Port())) }

// Listeners returns the listening sockets of this process's network. The kernel
// lists them by netlink; where that is not possible, they are read from /proc.
func Listeners(proc string) []Listener {
	if proc == "/proc" {
		if found, err := diagListeners(); err == nil {
			return found
		}
	}
	return tableListeners(proc)
}

// tableListeners reads the listening sockets from "net/tcp" and "net/tcp6" below a
// folder of /proc.
func tableListeners(dir string) []Listener {
	var all []Listener
	for _, table := range []string{"net/tcp", "net/tcp6"} {
		f, err := os.Open(filepath.Join(dir, table))
		if err != nil {
			continue // without IPv6, for example
		}
		all = append(all, parseListeners(f)...)
		f.Close()
	}
	return all
}

func parseListeners(table io.Reader) []Listener {
	var all []Listener
	for lines := bufio.NewScanner(table); lines.Scan(); {
		if l, ok := parseListener(strings.Fields(lines.Text())); ok {
			all = append(all, l)
		}
	}
	return all
}

// parseListener parses a row. ok is false unless it is a listening socket.
func parseListener(fields []string) (l Listener, ok bool) {
	const listening = "0A"
	if len(fields) < 10 || fields[3] != listening {
		return Listener{}, false
	}
	address, port, _ := strings.Cut(fields[1], ":")
	n, err := strconv.ParseUint(port, 16, 16)
	if err != nil {
		return Listener{}, false
	}
	raw, err := hex.DecodeString(address)
	if err != nil || len(raw)%4 != 0 {
		return Listener{}, false
	}
	for i := 0; i < len(raw); i += 4 { // words in the machine's byte order
		binary.NativeEndian.PutUint32(raw[i:], binary.BigEndian.Uint32(raw[i:]))
	}
	at, ok := netip.AddrFromSlice(raw)
	return Listener{Socket: fmt.Sprintf("socket:[%s]", fields[9]), Address: netip.AddrPortFrom(at, uint16(n))}, ok
}
