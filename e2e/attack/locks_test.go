//go:build linux

package attack

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// Test13: another user of the machine holds a lock of the state for ever, so that every
// run hangs, or reads records and logs.
func Test13(t *testing.T) {
	t.Run("state folder", func(t *testing.T) {
		l := newService(t)
		attacker := l.as(attackerUID)
		l.deploy()
		held := 0
		for path := range l.files(l.state) {
			info, err := os.Lstat(path)
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			l.must(err)
			if filepath.Base(path) == "lock" || filepath.Ext(path) == ".lock" {
				held++
				attacker.attacker("hold", path).wantExit(1).wantText("permission denied")
				if mode := info.Mode().Perm(); mode != 0o600 {
					t.Errorf("mode of the lock %s = %v, want 0600", path, mode)
				}
			}
			switch ext := filepath.Ext(path); ext {
			case ".db", ".jsonl", ".log":
				if mode := info.Mode().Perm(); mode&0o077 != 0 {
					t.Errorf("mode of %s = %v, want nothing for others", path, mode)
				}
			}
		}
		if held == 0 {
			t.Error("no lock found in the state folder")
		}
		attacker.run("cat", filepath.Join(l.state, "slipway.db")).wantExit(1)
	})
	// What an earlier version left open is closed by the next command.
	t.Run("folder of an earlier version", func(t *testing.T) {
		l := newService(t)
		attacker := l.as(attackerUID)
		l.slipway("status").wantExit(0)
		l.must(os.Chmod(l.state, 0o755))
		l.slipway("status").wantExit(0)
		attacker.run("ls", l.state).wantExit(2)
	})
}

// files returns all regular files below the folder.
func (l *lab) files(dir string) map[string]bool {
	l.t.Helper()
	found := map[string]bool{}
	l.must(filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil && d.Type().IsRegular() {
			found[path] = true
		}
		return err
	}))
	return found
}

// holdLock takes the lock of a file that it may only read.
func holdLock(args []string) error {
	f, err := os.Open(args[0])
	if err != nil {
		return err
	}
	defer f.Close()
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil && !errors.Is(err, syscall.EWOULDBLOCK) {
		return err
	}
	fmt.Println("it can be held")
	return nil
}
