//go:build linux

package container

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestSocketsOf: a socket belongs to the process that holds it and to its ancestors,
// not to its siblings.
func TestSocketsOf(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	file, err := l.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	inode, err := os.Readlink("/proc/self/fd/" + strconv.Itoa(int(file.Fd())))
	if err != nil {
		t.Fatal(err)
	}
	start := func(extra ...*os.File) int {
		cmd := exec.Command("sleep", "60")
		cmd.ExtraFiles = extra
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
		return cmd.Process.Pid
	}
	holder, sibling := start(file), start()
	for _, c := range []struct {
		name string
		pid  int
		want bool
	}{{"holder", holder, true}, {"ancestor", os.Getpid(), true}, {"sibling", sibling, false}} {
		t.Run(c.name, func(t *testing.T) {
			held, complete := socketsOf("/proc", c.pid)
			if held[inode] != c.want || !complete {
				t.Errorf("holds it: %v, complete: %v, want %v and complete", held[inode], complete, c.want)
			}
		})
	}
}

func TestDescendants(t *testing.T) {
	dir := t.TempDir()
	for pid, stat := range map[string]string{
		"1": "1 (init) S 0 1", "5": "5 (a) b) S 1 1", "6": "6 (c) S 5 1", "7": "7 (d) S 1 1", "8": "8 (e", "x": "",
	} {
		if err := os.Mkdir(filepath.Join(dir, pid), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, pid, "stat"), []byte(stat), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got := descendants(parents(dir), 5); len(got) != 2 || got[0] != 5 || got[1] != 6 {
		t.Errorf("descendants of 5 = %v, want [5 6]", got)
	}
}

func TestParseListener(t *testing.T) {
	row := func(local, state string) []string {
		return strings.Fields("0: " + local + " 00000000:0000 " + state + " 00000000:00000000 00:00000000 00000000 0 0 4711 1")
	}
	for _, c := range []struct {
		name string
		row  []string
		want string
	}{
		{"loopback", row("0100007F:4E21", "0A"), "socket:[4711]"},
		{"all addresses", row("00000000:4E21", "0A"), "socket:[4711]"},
		{"another address", row("0501A8C0:4E21", "0A"), ""},
		{"another port", row("0100007F:4E22", "0A"), ""},
		{"connected", row("0100007F:4E21", "01"), ""},
		{"all IPv6 addresses", row("00000000000000000000000000000000:4E21", "0A"), "socket:[4711]"},
		{"mapped loopback", row("0000000000000000FFFF00000100007F:4E21", "0A"), "socket:[4711]"},
		{"IPv6 loopback", row("00000000000000000000000001000000:4E21", "0A"), ""},
		{"header", strings.Fields("sl local_address rem_address st"), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			l, ok := parseListener(c.row)
			got := ""
			if ok && l.Accepts(20001) {
				got = l.Socket
			}
			if got != c.want {
				t.Errorf("socket = %q, want %q", got, c.want)
			}
		})
	}
}

// TestListeners_NetlinkAndProcAgree: both ways find the same sockets.
func TestListeners_NetlinkAndProcAgree(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	all, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer all.Close()
	byNetlink, err := diagListeners()
	if err != nil {
		t.Skipf("this kernel has no socket diagnosis: %v", err)
	}
	for name, found := range map[string][]Listener{"netlink": byNetlink, "proc": tableListeners("/proc")} {
		for _, open := range []net.Listener{l, all} {
			at := open.Addr().(*net.TCPAddr).Port
			if !slices.ContainsFunc(found, func(l Listener) bool { return l.Accepts(at) }) {
				t.Errorf("%s: no socket listens on %s among %v", name, open.Addr(), found)
			}
		}
	}
}

// TestWalkChildren: the kernel's lists of children name the same processes as
// /proc as a whole.
func TestWalkChildren(t *testing.T) {
	cmd := exec.Command("sh", "-c", "sleep 60 & wait")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL); _ = cmd.Wait() })
	deadline := time.Now().Add(5 * time.Second)
	for {
		got, ok := walkChildren("/proc", cmd.Process.Pid)
		if !ok {
			t.Skip("this kernel keeps no lists of children")
		}
		if len(got) == 2 && slices.Equal(got, descendants(parents("/proc"), cmd.Process.Pid)) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("found %v, want a shell and its child", got)
		}
		time.Sleep(5 * time.Millisecond) // poll interval
	}
}

// BenchmarkReadiness is what it takes to find out who listens and which processes a
// container has: by the kernel's lists, and by all of /proc.
func BenchmarkReadiness(b *testing.B) {
	for name, f := range map[string]func(){
		"listeners by netlink":   func() { _, _ = diagListeners() },
		"listeners by proc":      func() { tableListeners("/proc") },
		"processes by children":  func() { walkChildren("/proc", os.Getpid()) },
		"processes by all there": func() { descendants(parents("/proc"), os.Getpid()) },
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				f()
			}
		})
	}
}
