package app

import (
	"os"
	"path/filepath"
	"testing"
)

func TestRemoveTree(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "models")
	inner := filepath.Join(dir, "a", "b")
	if err := os.MkdirAll(inner, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, f := range []string{filepath.Join(dir, "x"), filepath.Join(inner, "y")} {
		if err := os.WriteFile(f, []byte("12345"), 0o444); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(inner, 0o555); err != nil { // as fetched models are
		t.Fatal(err)
	}
	if size, err := removeTree(dir, true); size != 10 || err != nil {
		t.Errorf("dry: %d bytes, %v", size, err)
	}
	if _, err := os.Stat(filepath.Join(inner, "y")); err != nil {
		t.Error("the dry sweep removed something")
	}
	if size, err := removeTree(dir, false); size != 10 || err != nil {
		t.Errorf("%d bytes, %v", size, err)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Error("it is still there")
	}
	if size, err := removeTree(dir, false); size != 0 || err != nil {
		t.Errorf("nothing there: %d bytes, %v", size, err)
	}
}
