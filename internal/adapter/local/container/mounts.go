//go:build linux

package container

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/sandbox"
)

// hostFiles are shared with the container, as is the network.
var hostFiles = [...]string{"etc/resolv.conf", "etc/hosts"}

var deviceNodes = [...]string{"null", "zero", "full", "random", "urandom"}

// createMountPoints creates the mount points, which an image may lack, since the
// root is read-only later. Symlinks in their place are rejected: they could lead
// out of the root.
func createMountPoints(rootfs string, model bool) error {
	root, err := os.OpenRoot(rootfs)
	if err != nil {
		return imageRootError("open the image root", err)
	}
	defer root.Close()
	places := []string{"proc", "dev", "tmp", "etc"}
	if model {
		places = append(places, "model")
	}
	for _, p := range places {
		if err := root.Mkdir(p, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return imageRootError("create /"+p+" in the image root", err)
		}
		i, err := root.Lstat(p)
		if errors.Is(err, fs.ErrNotExist) {
			return imageRootError("look at /"+p+" in the image root", err)
		}
		if err != nil || !i.IsDir() {
			return fmt.Errorf("/%s of the image is not a directory and cannot be used as a mount point", p)
		}
	}
	for _, p := range hostFiles {
		f, err := root.OpenFile(p, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
		if err == nil {
			f.Close()
		} else if !errors.Is(err, fs.ErrExist) {
			return imageRootError("create /"+p+" in the image root", err)
		}
	}
	return nil
}

// imageRootError is the error of a change of the image root. What is not found was
// removed by another program, which is not the image's fault.
func imageRootError(act string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fault.New(fault.Unavailable, "%s: the unpacked image is being removed", act).Cause(err)
	}
	return fmt.Errorf("%s: %w", act, err)
}

// sharedHostFiles returns the host files that can be mounted over the image's
// own.
func sharedHostFiles(rootfs string) map[string]string {
	found := map[string]string{}
	for _, p := range hostFiles {
		inside, err := os.Lstat(filepath.Join(rootfs, p))
		if err != nil || !inside.Mode().IsRegular() {
			continue
		}
		if host, err := filepath.EvalSymlinks("/" + p); err == nil {
			found[p] = host
		}
	}
	return found
}

// mountRootfs sets up the mounts and makes them the root. The host's mounts are
// gone afterwards.
func mountRootfs(s Spec) error {
	root := s.Rootfs
	if s.Writable {
		copied, err := mountCopy(s.Rootfs, s.User)
		if err != nil {
			return err
		}
		root = copied
	} else if err := unix.Mount(root, root, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return sandbox.Annotate("bind-mount the image root", err)
	}
	if err := unix.Mount("proc", root+"/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return sandbox.Annotate("mount /proc", err)
	}
	if err := makeDev(root+"/dev", scratchOptions(s.Memory)); err != nil {
		return err
	}
	if err := unix.Mount("tmpfs", root+"/tmp", "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, scratchOptions(s.Memory)); err != nil {
		return sandbox.Annotate("mount /tmp", err)
	}
	for inside, outside := range sharedHostFiles(root) {
		if err := bindReadOnly(outside, filepath.Join(root, inside)); err != nil {
			return sandbox.Annotate("share /"+inside, err)
		}
	}
	if s.Model != "" {
		if err := bindReadOnly(s.Model, root+"/model"); err != nil {
			return sandbox.Annotate("mount the model", err)
		}
	}
	if !s.Writable {
		if err := sandbox.ReadOnly(root); err != nil {
			return sandbox.Annotate("remount the image root read-only", err)
		}
	}
	return sandbox.PivotRoot(root)
}

// scratchOptions are those of a container's /tmp and /dev/shm.
func scratchOptions(memory int64) string {
	return fmt.Sprintf("mode=1777,size=%d", scratchSize(memory))
}

func makeDev(dev, shm string) error {
	if err := unix.Mount("tmpfs", dev, "tmpfs", unix.MS_NOSUID|unix.MS_NOEXEC, "mode=755,size=64k"); err != nil {
		return sandbox.Annotate("mount /dev", err)
	}
	for _, name := range deviceNodes {
		inside := dev + "/" + name
		if err := os.WriteFile(inside, nil, 0o644); err != nil {
			return sandbox.Annotate("create "+inside, err)
		}
		if err := unix.Mount("/dev/"+name, inside, "", unix.MS_BIND, ""); err != nil {
			return sandbox.Annotate("bind-mount /dev/"+name, err)
		}
	}
	for name, to := range map[string]string{"fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2"} {
		if err := os.Symlink(to, dev+"/"+name); err != nil {
			return sandbox.Annotate("create /dev/"+name, err)
		}
	}
	if err := os.Mkdir(dev+"/shm", 0o755); err != nil {
		return sandbox.Annotate("create /dev/shm", err)
	}
	if err := unix.Mount("tmpfs", dev+"/shm", "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, shm); err != nil {
		return sandbox.Annotate("mount /dev/shm", err)
	}
	return sandbox.Annotate("remount /dev read-only", sandbox.ReadOnly(dev))
}

func bindReadOnly(from, to string) error {
	if err := unix.Mount(from, to, "", unix.MS_BIND, ""); err != nil {
		return err
	}
	return sandbox.ReadOnly(to)
}
