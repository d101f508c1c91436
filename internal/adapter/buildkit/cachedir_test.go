package buildkit

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/extension"
)

// TestConfigOf: trusted and untrusted code get different BuildKits, neither of them the
// state folder's.
func TestConfigOf(t *testing.T) {
	c := configOf(extension.Host{Home: "/repo/.slipway", Cache: "/cache/projects/1", Executable: "/bin/slipway"})
	want := Config{
		Dir: "/cache/projects/1/trusted/buildkit", Executable: "/bin/slipway", Former: "/repo/.slipway/buildkit",
		Dirs: []string{"/cache/projects/1/trusted/buildkit", "/cache/projects/1/untrusted/buildkit"},
	}
	if diff := cmp.Diff(want, c, cmp.Comparer(func(a, b func(string) string) bool { return (a == nil) == (b == nil) })); diff != "" {
		t.Errorf("configuration (-want +got):\n%s", diff)
	}
}

func TestListUnused_FormerFolder(t *testing.T) {
	former := filepath.Join(t.TempDir(), "buildkit")
	b := New(Config{Former: former})
	unused := func() []string {
		t.Helper()
		found, err := b.ListUnused(t.Context(), time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	if got := unused(); len(got) > 0 {
		t.Errorf("unused folders = %q, want none: there is none", got)
	}
	if err := os.MkdirAll(filepath.Join(former, "root"), 0o700); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{former}, unused()); diff != "" {
		t.Errorf("unused folders (-want +got):\n%s", diff)
	}
}
