//go:build linux

package supervisor

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/slipway-cd/slipway/internal/fault"
)

func TestInFolder(t *testing.T) {
	dir, elsewhere := filepath.Join(t.TempDir(), "local"), t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "rootfs", "abc"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(elsewhere, filepath.Join(dir, "rootfs", "bad")); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, kind, path, want string
		denied                 bool
	}{
		{name: "none", kind: "models"},
		{name: "here", kind: "rootfs", path: filepath.Join(dir, "rootfs", "abc"), want: filepath.Join(dir, "rootfs", "abc")},
		{name: "moved", kind: "rootfs", path: "/before/local/rootfs/abc", want: filepath.Join(dir, "rootfs", "abc")},
		{name: "removed", kind: "rootfs", path: "/before/local/rootfs/def", want: filepath.Join(dir, "rootfs", "def")},
		{name: "the host's root", kind: "rootfs", path: "/", denied: true},
		{name: "another folder", kind: "rootfs", path: elsewhere, denied: true},
		{name: "another kind", kind: "rootfs", path: filepath.Join(dir, "models", "abc"), denied: true},
		{name: "dots", kind: "rootfs", path: dir + "/rootfs/abc/../../..", denied: true},
		{name: "link out of the folder", kind: "rootfs", path: filepath.Join(dir, "rootfs", "bad"), denied: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := inFolder(dir, c.kind, c.path)
			if fault.Is(err, fault.Denied) != c.denied || got != c.want {
				t.Errorf("inFolder(%q) = %q, error = %v, want %q, denied: %v", c.path, got, err, c.want, c.denied)
			}
		})
	}
}
