package flock_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/flock"
)

func TestTry(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	first, second := open(t, path), open(t, path)
	if free, err := flock.Try(first); !free || err != nil {
		t.Fatalf("Try on a free lock = %v, %v", free, err)
	}
	if free, err := flock.Try(second); free || err != nil {
		t.Fatalf("Try on a held lock = %v, %v", free, err)
	}
	waited := make(chan error)
	go func() { waited <- flock.Wait(second) }()
	first.Close()
	if err := <-waited; err != nil {
		t.Fatal(err)
	}
	if free, err := flock.Try(open(t, path)); free || err != nil {
		t.Errorf("Try after Wait took the lock = %v, %v", free, err)
	}
	if _, err := flock.Try(first); err == nil {
		t.Error("a closed file was locked")
	}
}

func TestTryShared(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	first, second, writer := open(t, path), open(t, path), open(t, path)
	for _, f := range []*os.File{first, second} {
		if free, err := flock.TryShared(f); !free || err != nil {
			t.Fatalf("TryShared beside another shared holder = %v, %v", free, err)
		}
	}
	if free, err := flock.Try(writer); free || err != nil {
		t.Fatalf("Try beside shared holders = %v, %v", free, err)
	}
	first.Close()
	second.Close()
	if free, err := flock.Try(writer); !free || err != nil {
		t.Fatalf("Try after the shared holders = %v, %v", free, err)
	}
	if free, err := flock.TryShared(open(t, path)); free || err != nil {
		t.Errorf("TryShared beside an exclusive holder = %v, %v", free, err)
	}
}

func TestLock_Waits(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	first, err := flock.Lock(t.Context(), path, func() { t.Error("onBusy was called for a free lock") })
	if err != nil {
		t.Fatal(err)
	}
	busy := make(chan bool, 100)
	locked := make(chan *os.File, 1)
	go func() {
		f, err := flock.Lock(t.Context(), path, func() { busy <- true })
		if err != nil {
			t.Error(err)
		}
		locked <- f
	}()
	<-busy
	time.Sleep(50 * time.Millisecond) // a few attempts, of which none may report again
	select {
	case <-locked:
		t.Fatal("two handles hold the lock")
	default:
	}
	first.Close()
	(<-locked).Close()
	if n := len(busy); n > 0 {
		t.Errorf("onBusy was called %d times more", n)
	}
}

func TestLock_ContextEnds(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	held, err := flock.LockShared(t.Context(), path, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	stopped := errors.New("stopped")
	file := open(t, path)
	for name, lock := range map[string]func(context.Context, func()) error{
		"Lock":     func(ctx context.Context, busy func()) error { _, err := flock.Lock(ctx, path, busy); return err },
		"LockFile": func(ctx context.Context, busy func()) error { return flock.LockFile(ctx, file, busy) },
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(t.Context())
			if err := lock(ctx, func() { cancel(stopped) }); !errors.Is(err, stopped) {
				t.Errorf("%s with an ended context = %v, want %v", name, err, stopped)
			}
		})
	}
	if err := flock.LockFileShared(t.Context(), file, nil); err != nil {
		t.Errorf("LockFileShared beside a shared holder = %v", err)
	}
}

// TestLock_RemovedFile: the holder removes the file while others wait for it.
func TestLock_RemovedFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	first, err := flock.Lock(t.Context(), path, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	if other, err := flock.TryLock(path); other != nil || err != nil {
		t.Fatalf("TryLock on a held lock = %v, %v", other, err)
	}
	if err := os.Remove(path); err != nil {
		t.Skipf("the operating system keeps open files: %v", err)
	}
	second, err := flock.TryLock(path)
	if second == nil || err != nil {
		t.Fatalf("TryLock after the file was removed = %v, %v", second, err)
	}
	defer second.Close()
	if held, err := flock.Held(path); !held || err != nil {
		t.Errorf("Held of the new file = %v, %v", held, err)
	}
}

// TestLock_RefusesLink: whoever can write to the folder of a lock would choose which file
// is made, or closed to others.
func TestLock_RefusesLink(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("making links takes a privilege")
	}
	dir := t.TempDir()
	for _, target := range []string{"made", "there"} {
		full, link := filepath.Join(dir, target), filepath.Join(dir, target+".lock")
		if target == "there" {
			if err := os.WriteFile(full, nil, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Symlink(full, link); err != nil {
			t.Fatal(err)
		}
		if f, err := flock.TryLock(link); err == nil {
			t.Errorf("TryLock of a link to %s = %v, want an error", target, f)
		}
		info, err := os.Lstat(full)
		if target == "made" && err == nil {
			t.Error("the link's file was made")
		}
		if target == "there" && (err != nil || info.Mode().Perm() != 0o644) {
			t.Errorf("the link's file: %v, %v, want it as it was", info, err)
		}
	}
}

func TestHeld(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	want := func(when string, want bool) {
		t.Helper()
		if got, err := flock.Held(path); got != want || err != nil {
			t.Errorf("%s: Held = %v, %v, want %v", when, got, err, want)
		}
	}
	want("no file", false)
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Held made the file: %v", err)
	}
	f, err := flock.Lock(t.Context(), path, nil)
	if err != nil {
		t.Fatal(err)
	}
	want("exclusive", true)
	f.Close()
	want("released", false)
	f, err = flock.LockShared(t.Context(), path, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	want("shared", false)
}

func open(t *testing.T, path string) *os.File {
	t.Helper()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}
