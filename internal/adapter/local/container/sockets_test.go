//go:build linux

package container

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
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
