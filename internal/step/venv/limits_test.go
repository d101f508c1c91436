package venv

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestCollector_TooLarge: requirements beyond the limits are refused.
func TestCollector_TooLarge(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "large.txt"), make([]byte, maxFileBytes+1), 0o600); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	c := &collector{tree: root, seen: map[string]bool{}}
	if _, err := c.readFile("large.txt", ""); err == nil || !strings.Contains(err.Error(), "at most 8388608 bytes") {
		t.Errorf("error = %v, want one of the size", err)
	}
	c.names = make([]string, maxFiles)
	if _, err := c.readFile("large.txt", ""); err == nil || !strings.Contains(err.Error(), "more than 50 files") {
		t.Errorf("error = %v, want one of the number", err)
	}
}
