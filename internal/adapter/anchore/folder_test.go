//go:build unix

package anchore

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/slipway-cd/slipway/internal/fault"
)

// TestCheckDir: among folders of all users, only one of ours is believed.
func TestCheckDir(t *testing.T) {
	base := t.TempDir()
	for _, c := range []struct {
		name   string
		plant  func(dir string) error
		denied bool
	}{
		{"missing", func(string) error { return nil }, false},
		{"ours", func(dir string) error { return os.Mkdir(dir, 0o700) }, false},
		{"open to others", func(dir string) error { return errors.Join(os.Mkdir(dir, 0o700), os.Chmod(dir, 0o777)) }, true},
		{"link", func(dir string) error { return os.Symlink(base, dir) }, true},
		{"file", func(dir string) error { return os.WriteFile(dir, nil, 0o600) }, true},
		{"of another user", func(dir string) error {
			if os.Geteuid() != 0 {
				return os.Mkdir(dir, 0o777) // as far as an ordinary user can plant it
			}
			return errors.Join(os.Mkdir(dir, 0o700), os.Lchown(dir, 4711, 4711))
		}, os.Geteuid() == 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := filepath.Join(base, c.name)
			if err := c.plant(dir); err != nil {
				t.Fatal(err)
			}
			for among, want := range map[bool]bool{true: c.denied, false: false} {
				s := New(Config{Dir: dir, AmongOthers: among})
				if err := s.checkDir(); fault.Is(err, fault.Denied) != want {
					t.Errorf("among others %t: error = %v, want denied: %t", among, err, want)
				}
			}
		})
	}
}
