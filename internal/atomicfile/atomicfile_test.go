package atomicfile_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/atomicfile"
)

func TestWrite(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "state.json")
	for _, content := range []string{"first", "", "the third, which is longer"} {
		if err := atomicfile.Write(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		wantContent(t, path, content)
	}
	wantFiles(t, dir, "state.json")
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Mode().Perm(); runtime.GOOS != "windows" && got != 0o600 {
		t.Errorf("mode = %o, want 600", got)
	}
}

func TestWrite_LeavesOldFileOnError(t *testing.T) {
	dir := t.TempDir()
	folder := filepath.Join(dir, "folder")
	if err := os.MkdirAll(filepath.Join(folder, "child"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := atomicfile.Write(folder, []byte("x"), 0o600); err == nil {
		t.Error("Write replaced a folder that is not empty")
	}
	wantFiles(t, dir, "folder")
	err := atomicfile.Write(filepath.Join(dir, "missing", "file"), []byte("x"), 0o600)
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Write into a missing folder = %v, want %v", err, fs.ErrNotExist)
	}
}

// TestWrite_Concurrent: readers see one whole content, writers don't disturb each
// other, and nothing is left over.
func TestWrite_Concurrent(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "shared")
	contents := map[string]bool{}
	for i := range 8 {
		contents[strings.Repeat(fmt.Sprint(i), 4096)] = true
	}
	var group sync.WaitGroup
	for content := range contents {
		group.Go(func() {
			for range 10 {
				if err := atomicfile.Write(path, []byte(content), 0o600); err != nil {
					t.Error(err)
				}
				got, err := os.ReadFile(path)
				if err != nil || !contents[string(got)] {
					t.Errorf("read %d bytes that nothing wrote, error %v", len(got), err)
				}
			}
		})
	}
	group.Wait()
	wantFiles(t, dir, "shared")
}

func TestFileClose_Discards(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	if err := atomicfile.Write(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := atomicfile.Create(path, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("half of the n"); err != nil {
		t.Fatal(err)
	}
	if !atomicfile.IsTemporary(f.Name()) || atomicfile.IsTemporary(path) {
		t.Errorf("IsTemporary(%q), IsTemporary(%q) = %v, %v, want true, false", f.Name(), path, atomicfile.IsTemporary(f.Name()), atomicfile.IsTemporary(path))
	}
	for range 2 { // the second does nothing
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Commit(); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("Commit after Close = %v, want %v", err, fs.ErrClosed)
	}
	wantContent(t, path, "old")
	wantFiles(t, dir, "file")
}

func TestFileCommitAs(t *testing.T) {
	dir := t.TempDir()
	f, err := atomicfile.Create(filepath.Join(dir, "layer"), 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString("content"); err != nil {
		t.Fatal(err)
	}
	if err := f.CommitAs(filepath.Join(dir, "digest")); err != nil {
		t.Fatal(err)
	}
	wantContent(t, filepath.Join(dir, "digest"), "content")
	wantFiles(t, dir, "digest")
	if err := f.Close(); err != nil {
		t.Errorf("Close after Commit = %v", err)
	}
	wantContent(t, filepath.Join(dir, "digest"), "content")
}

func wantContent(t *testing.T, path, want string) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

func wantFiles(t *testing.T, dir string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("files in %s (-want +got):\n%s", dir, diff)
	}
}
