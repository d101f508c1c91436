//go:build linux

package attack

import (
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// write replaces a file of the repository, and gives it to the lab's user.
func (l *lab) write(name, text string) {
	l.t.Helper()
	path := filepath.Join(l.repo, name)
	l.must(os.MkdirAll(filepath.Dir(path), 0o755))
	l.must(os.WriteFile(path, []byte(text), 0o644))
	l.give(path)
}

// edit replaces the only occurrence of text in a file of the repository.
func (l *lab) edit(name, text, with string) {
	l.t.Helper()
	old := l.read(filepath.Join(l.repo, name))
	if n := strings.Count(old, text); n != 1 {
		l.t.Fatalf("%s contains %q %d times, want once", name, text, n)
	}
	l.write(name, strings.Replace(old, text, with, 1))
}

func (l *lab) read(path string) string {
	l.t.Helper()
	text, err := os.ReadFile(path)
	l.must(err)
	return string(text)
}

// exists reports whether there is anything at the path, be it a broken link.
func (l *lab) exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// eventually waits until ok returns true, and reports whether it did in time.
func (l *lab) eventually(within time.Duration, ok func() bool) bool {
	for end := time.Now().Add(within); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if ok() {
			return true
		}
	}
	return ok()
}

// processes returns the ids of the lab's processes whose command line or
// environment contains text.
func (l *lab) processes(text string) []int {
	l.t.Helper()
	entries, err := os.ReadDir("/proc")
	l.must(err)
	var found []int
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		command, _ := os.ReadFile(filepath.Join("/proc", e.Name(), "cmdline"))
		environ, _ := os.ReadFile(filepath.Join("/proc", e.Name(), "environ"))
		cwd, _ := os.Readlink(filepath.Join("/proc", e.Name(), "cwd"))
		all := strings.ReplaceAll(string(command)+"\x00"+string(environ), "\x00", " ")
		if (strings.Contains(all, l.base) || strings.HasPrefix(cwd, l.base)) && strings.Contains(all, text) {
			found = append(found, pid)
		}
	}
	return found
}

// cleanup stops what the test started and removes its files.
func (l *lab) cleanup() {
	if l.exists(filepath.Join(l.state, "local")) {
		l.slipway("down", "--all")
	}
	for range 20 {
		left := l.processes("")
		if len(left) == 0 {
			break
		}
		for _, pid := range left {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		time.Sleep(10 * time.Millisecond)
	}
	_ = filepath.WalkDir(l.base, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			_ = os.Chmod(path, 0o755)
		}
		return nil
	})
	if err := os.RemoveAll(l.base); err != nil {
		l.t.Logf("remove %s: %v", l.base, err)
	}
}
