//go:build linux

package container

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/slipway-cd/slipway/internal/sandbox"
)

// wayOut is pasta, by which a container with a network of its own reaches other
// hosts.
type wayOut struct {
	cmd   *exec.Cmd
	ended chan struct{}
	said  bytes.Buffer // read after ended is closed
}

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

// openWayOut starts pasta for the network of a process, and waits until it has a
// route.
func (n networks) openWayOut(helper int) (*wayOut, error) {
	w := &wayOut{ended: make(chan struct{})}
	w.cmd = &exec.Cmd{
		Path: n.pasta, Env: []string{}, Dir: "/", Stderr: &w.said,
		// No port is forwarded, in either direction: requests come by the proxy.
		Args:        []string{"pasta", "--foreground", "--quiet", "--config-net", "-t", "none", "-u", "none", "-T", "none", "-U", "none", "--no-map-gw", strconv.Itoa(helper)},
		SysProcAttr: &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL},
	}
	if err := n.namespaces.Spawner.Start(w.cmd); err != nil {
		return nil, fmt.Errorf("start pasta: %w", err)
	}
	go func() {
		defer close(w.ended)
		_ = w.cmd.Wait() // what it said tells more
	}()
	deadline := time.Now().Add(wayOutTimeout)
	for !hasRoute(helper) {
		select {
		case <-w.ended:
			lines := strings.Split(strings.TrimSpace(w.said.String()), "\n")
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

// Close ends it.
func (w *wayOut) Close() error {
	err := w.cmd.Process.Kill()
	<-w.ended
	return err
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

// dieWith makes this process, and pasta, end with SIGTERM, which the kernel sends
// when the supervisor dies: entering a user namespace has cleared pasta's own
// parent death signal.
func dieWith(pasta int, terminated <-chan os.Signal) {
	fd := -1
	if pasta > 0 {
		if opened, err := unix.PidfdOpen(pasta, 0); err == nil {
			fd = opened
		}
	}
	go func() {
		<-terminated
		if fd >= 0 {
			_ = unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0) // it has ended
		}
		os.Exit(125)
	}()
}
