package app

import (
	"os"
	"path/filepath"
	"testing"
)

func TestRemoveBelow(t *testing.T) {
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
	if size, err := removeBelow(filepath.Dir(dir), dir, true); size != 10 || err != nil {
		t.Errorf("dry: %d bytes, %v", size, err)
	}
	if _, err := os.Stat(filepath.Join(inner, "y")); err != nil {
		t.Error("the dry sweep removed something")
	}
	if size, err := removeBelow(filepath.Dir(dir), dir, false); size != 10 || err != nil {
		t.Errorf("%d bytes, %v", size, err)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Error("it is still there")
	}
	if size, err := removeBelow(filepath.Dir(dir), dir, false); size != 0 || err != nil {
		t.Errorf("nothing there: %d bytes, %v", size, err)
	}
}

func TestRemoveBelow_FollowsNoLinkOutOfTheFolder(t *testing.T) {
	home, documents := t.TempDir(), t.TempDir()
	taxes := filepath.Join(documents, "taxes", "2025")
	if err := os.MkdirAll(taxes, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(documents, filepath.Join(home, "artifacts")); err != nil {
		t.Fatal(err)
	}
	found, err := filesBelow(home, "artifacts/*/*")
	if err != nil || len(found) > 0 {
		t.Errorf("files below = %q, error = %v, want none", found, err)
	}
	if _, err := removeBelow(home, filepath.Join(home, "artifacts", "taxes"), false); err == nil {
		t.Error("a folder behind the link was removed")
	}
	if _, err := os.Stat(taxes); err != nil {
		t.Errorf("behind the link: %v", err)
	}
	if _, err := removeBelow(home, filepath.Join(home, "artifacts"), false); err != nil {
		t.Errorf("remove the link itself: %v", err)
	}
	if _, err := os.Stat(taxes); err != nil {
		t.Errorf("after the link was removed: %v", err)
	}
}
