//go:build e2e

package e2e

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"testing"

	"github.com/slipway-cd/slipway/e2e/cluster"
)

// startRegistry starts a registry that the cluster's nodes and this machine reach under
// the same address, which is loopback for both: only there is plain HTTP allowed.
func startRegistry(t *testing.T, c *cluster.Cluster) (address string) {
	t.Helper()
	if c.NodeIP == "" {
		t.Skip("the nodes of an existing cluster can't reach a registry on this machine's loopback address")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	runUntilEnd(t, c.Command(self), "0.0.0.0:"+port)
	go forward(l, net.JoinHostPort(c.NodeIP, port))
	return l.Addr().String()
}

// runUntilEnd runs the registry until the test ends.
func runUntilEnd(t *testing.T, cmd *exec.Cmd, address string) {
	t.Helper()
	cmd.Env, cmd.Stderr = append(os.Environ(), registryEnv+"="+address), os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	if _, err := fmt.Fscan(out, new(string)); err != nil {
		t.Fatalf("the registry ended: %v", err)
	}
}

// forward passes the listener's connections on to another address, until it is closed.
func forward(l net.Listener, to string) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		go pass(conn, to)
	}
}

// pass connects a connection with another one to the address.
func pass(a net.Conn, to string) {
	defer a.Close()
	b, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	defer b.Close()
	go func() {
		_, _ = io.Copy(b, a)
		_ = b.(*net.TCPConn).CloseWrite()
	}()
	_, _ = io.Copy(a, b)
}
