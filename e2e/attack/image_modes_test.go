//go:build linux

package attack

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/slipway-cd/slipway/internal/adapter/oci"
	"github.com/slipway-cd/slipway/internal/adapter/oci/embedded"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest"
)

// Test7: another user of the machine changes the code of the running service, because
// unpacked images kept mode 0777 below folders that everyone entered.
func Test7(t *testing.T) {
	t.Run("running service", func(t *testing.T) {
		l := newService(t)
		attacker := l.as(attackerUID)
		l.deploy()
		files, err := filepath.Glob(filepath.Join(l.state, "local", "rootfs", "*", "etc", "ssl", "certs", "*.crt"))
		if err != nil || len(files) != 1 {
			t.Fatalf("files = %v, %v; want a file of the image", files, err)
		}
		l.must(os.Chmod(files[0], 0o777)) // as after `RUN chmod -R 777` in a Dockerfile
		attacker.run("sh", "-c", "echo evil >> "+files[0]).wantExit(2).wantText("Permission denied")
		attacker.run("ls", l.state).wantExit(2)
	})
	t.Run("unpacked modes", func(t *testing.T) {
		registry, err := embedded.Open(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		defer registry.Close()
		r := oci.New(oci.Config{Embedded: func() (*embedded.Registry, error) { return registry, nil }})
		built := porttest.WriteLayout(t, t.TempDir(), port.ImageConfig{Cmd: []string{"serve"}}, []porttest.LayerEntry{
			{Name: "app/", Mode: 0o777, Type: '5'}, {Name: "app/main.py", Body: "a", Mode: 0o777}, {Name: "app/data", Body: "a", Mode: 0o666},
		})
		img, err := r.Push(t.Context(), built.Layout, delivery.Image{Repository: "a/b", Digest: built.Digest}, "v1", nil)
		if err != nil {
			t.Fatal(err)
		}
		dir := filepath.Join(t.TempDir(), "rootfs")
		if _, err := r.Unpack(t.Context(), img, dir); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"", "app", "app/main.py", "app/data"} {
			info, err := os.Stat(filepath.Join(dir, name))
			if err != nil || info.Mode().Perm()&0o022 != 0 {
				t.Errorf("mode of %q = %v, %v; want nothing that other users can write", name, info.Mode(), err)
			}
		}
	})
}
