package ko

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestFingerprint_RunsGoOnce: the version is cached until the binary changes.
func TestFingerprint_RunsGoOnce(t *testing.T) {
	dir := t.TempDir()
	asked := filepath.Join(dir, "asked")
	install := func(version string, at time.Time) {
		t.Helper()
		program := filepath.Join(dir, "go")
		if err := os.WriteFile(program, []byte("#!/bin/sh\necho x >>"+asked+"\necho "+version+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(program, at, at); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir+":/usr/bin:/bin")
	b := New(Config{})
	for i, want := range []string{"go1.1", "go1.1", "go1.2"} {
		install(want, time.Unix(1_700_000_000+int64(i/2), 0))
		if got, err := b.Fingerprint(t.Context()); err != nil || !strings.HasPrefix(got, want+" ko") {
			t.Errorf("%d: %q, %v", i, got, err)
		}
	}
	if times, _ := os.ReadFile(asked); len(times) != len("x\nx\n") {
		t.Errorf("asked: %q", times)
	}
}
