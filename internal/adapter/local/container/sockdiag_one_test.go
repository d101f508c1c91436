//go:build linux

package container

import (
	"net"
	"testing"
)

// The socket of one port is that of the list, whatever address it listens on.
func TestListenerOn(t *testing.T) {
	for _, address := range []string{"127.0.0.1:0", "0.0.0.0:0", "[::]:0"} {
		t.Run(address, func(t *testing.T) {
			listener, err := net.Listen("tcp", address)
			if err != nil {
				t.Skip(err) // without IPv6
			}
			port := listener.Addr().(*net.TCPAddr).Port
			conn, err := net.Dial("tcp", listener.Addr().String()) // it is not taken for the listener
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			want := ""
			for _, l := range Listeners("/proc") {
				if l.Accepts(port) {
					want = l.Socket
				}
			}
			if got, err := ListenerOn(port); err != nil || got == "" || got != want {
				t.Errorf("ListenerOn = %q, %v; want %q", got, err, want)
			}
			listener.Close()
			if got, err := ListenerOn(port); err != nil || got != "" {
				t.Errorf("ListenerOn once it is closed = %q, %v; want none", got, err)
			}
		})
	}
}
