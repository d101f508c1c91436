package app

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// git ignores the state folder; inside a checkout, the nearest .gitignore ignores nothing.
func TestPrepareHome_IgnoresStateButNotCheckouts(t *testing.T) {
	repo := t.TempDir()
	home := filepath.Join(repo, ".slipway")
	for range 2 {
		if err := prepareHome(home); err != nil {
			t.Fatal(err)
		}
	}
	src := filepath.Join(home, "work", "prod", "src")
	if err := os.MkdirAll(src, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(src, "a.py"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("git", "-C", repo, "init", "-q").CombinedOutput(); err != nil {
		t.Fatalf("git init: %v: %s", err, out)
	}
	if out, err := exec.Command("git", "-C", repo, "status", "--porcelain", "-uall").CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("git status: error = %v, output = %s, want none", err, out)
	}
	nearest, err := os.ReadFile(filepath.Join(home, "work", ".gitignore"))
	if err != nil || string(nearest) != "!*\n" {
		t.Errorf(".gitignore of the checkouts = %q, error = %v, want %q", nearest, err, "!*\n")
	}
}
