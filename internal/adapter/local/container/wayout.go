//go:build linux

package container

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/slipway-cd/slipway/internal/sandbox"
)

// wayOut is pasta, by which a container with a network of its own reaches other
// hosts.
type wayOut struct {
	child Child
	ended chan struct{}
	said  []byte // read after ended is closed
}

// maxSaid is how much of what pasta says is kept, in bytes: the last line is its error.
const maxSaid = 16 << 10

// findPasta returns the path of pasta, or "". It refuses to work for root.
func findPasta() string {
	if sandbox.IsRoot() {
		return ""
	}
	path, err := exec.LookPath("pasta")
	if err != nil {
		return ""
	}
	return path
}

// wayOutTimeout is how long pasta may take to configure a network.
const wayOutTimeout = 2 * time.Second

// openWayOut starts pasta for the network of a launcher's process, and waits until it has
// a route. It ends with that process, whose parent the kernel ends with the supervisor:
// entering a user namespace has cleared pasta's own parent death signal.
func (n networks) openWayOut(launcher *session) (*wayOut, error) {
	helper := launcher.child.PID()
	said, says, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("start pasta: %w", err)
	}
	w := &wayOut{ended: make(chan struct{})}
	w.child, err = n.namespaces.Starter.Start(&exec.Cmd{
		Path: n.pasta, Env: []string{}, Dir: "/", Stderr: says,
		// No port is forwarded, in either direction: requests come by the proxy.
		Args:        []string{"pasta", "--foreground", "--quiet", "--config-net", "-t", "none", "-u", "none", "-T", "none", "-U", "none", "--no-map-gw", strconv.Itoa(helper)},
		SysProcAttr: &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL},
	})
	says.Close()
	if err != nil {
		said.Close()
		return nil, fmt.Errorf("start pasta: %w", err)
	}
	go w.wait(said)
	if err := launcher.endWith(w.child.PID()); err != nil {
		_ = w.Close()
		return nil, fmt.Errorf("let pasta end with the network: %w", err)
	}
	deadline := time.Now().Add(wayOutTimeout)
	for !hasRoute(helper) {
		select {
		case <-w.ended:
			lines := strings.Split(strings.TrimSpace(string(w.said)), "\n")
			return nil, fmt.Errorf("pasta exited: %s", lines[len(lines)-1])
		case <-time.After(5 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			_ = w.Close()
			return nil, fmt.Errorf("pasta has configured no route within %s", wayOutTimeout)
		}
	}
	return w, nil
}

// wait reads what pasta says, to the end of the process.
func (w *wayOut) wait(said *os.File) {
	defer close(w.ended)
	defer said.Close()
	w.said, _ = io.ReadAll(io.LimitReader(said, maxSaid))
	_, _ = io.Copy(io.Discard, said)
	_, _ = w.child.Wait() // what it said tells more
}

// Close ends it.
func (w *wayOut) Close() error {
	err := w.child.Signal(syscall.SIGKILL)
	<-w.ended
	return errors.Join(err, w.child.Release())
}

// hasRoute reports whether the network of a process has a route.
func hasRoute(pid int) bool {
	v4, _ := os.ReadFile(fmt.Sprintf("/proc/%d/net/route", pid)) // it has exited
	if bytes.Count(v4, []byte("\n")) > 1 {
		return true
	}
	v6, _ := os.ReadFile(fmt.Sprintf("/proc/%d/net/ipv6_route", pid))
	for line := range strings.Lines(string(v6)) {
		if f := strings.Fields(line); f[len(f)-1] != "lo" {
			return true
		}
	}
	return false
}
