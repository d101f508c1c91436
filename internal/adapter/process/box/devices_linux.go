package box

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/slipway-cd/slipway/internal/sandbox"
)

// deviceNodes are those that every program expects.
var deviceNodes = []string{"null", "zero", "full", "random", "urandom", "tty"}

// mountDevices makes a /dev with the usual devices, those of GPUs, terminals, and half
// of the memory for /dev/shm: by it the workers of a training exchange their batches.
func mountDevices(dev string) error {
	if err := unix.Mount("tmpfs", dev, "tmpfs", unix.MS_NOSUID|unix.MS_NOEXEC, "mode=755,size=64k"); err != nil {
		return err
	}
	for _, name := range deviceNodes {
		if err := showDevice(dev, name); err != nil {
			return err
		}
	}
	for _, pattern := range devices {
		found, _ := filepath.Glob(oldRoot + "/dev/" + pattern) // the pattern is well-formed
		for _, path := range found {
			if err := showDevice(dev, filepath.Base(path)); err != nil {
				return err
			}
		}
	}
	links := map[string]string{"fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2", "ptmx": "pts/ptmx"}
	for name, to := range links {
		if err := os.Symlink(to, filepath.Join(dev, name)); err != nil {
			return err
		}
	}
	for name, mount := range map[string]struct {
		kind, options string
		flags         uintptr
	}{
		"shm": {"tmpfs", fmt.Sprintf("mode=1777,size=%d", memoryShare(2)), unix.MS_NODEV},
		"pts": {"devpts", "newinstance,ptmxmode=0666,mode=620", unix.MS_NOEXEC},
	} {
		path := filepath.Join(dev, name)
		if err := os.Mkdir(path, 0o755); err != nil {
			return err
		}
		if err := unix.Mount(mount.kind, path, mount.kind, unix.MS_NOSUID|mount.flags, mount.options); err != nil {
			return sandbox.Annotate("mount /dev/"+name, err)
		}
	}
	return sandbox.ReadOnly(dev)
}

// showDevice makes a device, or a folder of devices, of the machine visible. One that
// the machine lacks is left out.
func showDevice(dev, name string) error {
	from, to := oldRoot+"/dev/"+name, filepath.Join(dev, name)
	err := createMountPoint(from, to)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = unix.Mount(from, to, "", unix.MS_BIND|unix.MS_REC, "")
	}
	return sandbox.Annotate("show /dev/"+name, err)
}
