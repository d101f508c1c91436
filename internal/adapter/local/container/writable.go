//go:build linux

package container

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/slipway-cd/slipway/internal/sandbox"
)

// mountCopy mounts a private copy of the image root over it, which the user may
// write to, and returns its path: an overlay where the kernel permits one, and
// otherwise a copy in memory. It is gone with the mount namespace. It must come
// before any mount below the root.
func mountCopy(rootfs string, u User) (string, error) {
	image, err := os.Open(rootfs)
	if err != nil {
		return "", sandbox.Annotate("open the image root", err)
	}
	defer image.Close()
	if err := unix.Mount("tmpfs", rootfs, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=755"); err != nil {
		return "", sandbox.Annotate("mount memory for the writable root", err)
	}
	root := rootfs + "/root"
	for _, dir := range []string{root, rootfs + "/upper", rootfs + "/work"} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			return "", sandbox.Annotate("create "+dir, err)
		}
	}
	memory, err := os.Open(rootfs)
	if err != nil {
		return "", sandbox.Annotate("open the memory for the writable root", err)
	}
	defer memory.Close()
	// The image's path is hidden now, and commas in a path would end the option.
	lower, above := fmt.Sprintf("/proc/self/fd/%d", image.Fd()), fmt.Sprintf("/proc/self/fd/%d", memory.Fd())
	options := fmt.Sprintf("lowerdir=%s,upperdir=%s/upper,workdir=%s/work", lower, above, above)
	isRoot := sandbox.IsRoot()
	if isRoot {
		options += ",metacopy=on" // a new owner copies no content
	} else {
		options += ",userxattr"
	}
	err = unix.Mount("overlay", root, "overlay", unix.MS_NOSUID|unix.MS_NODEV, options)
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENODEV) {
		err = copyTree(lower, root)
	}
	if err == nil && isRoot { // otherwise all belongs to the only user there is
		err = chownTree(root, u)
	}
	return root, sandbox.Annotate("make a writable copy of the image root", err)
}

// chownTree gives everything to the service's user: images are unpacked without
// their owners.
func chownTree(dir string, u User) error {
	return filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, u.UID, u.GID)
	})
}

// copyTree copies folders, regular files and symlinks.
func copyTree(from, to string) error {
	return filepath.WalkDir(from+"/.", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, rel)
		info, err := d.Info()
		if err != nil {
			return err
		}
		switch {
		case d.IsDir():
			return os.MkdirAll(target, info.Mode().Perm()|0o700)
		case d.Type()&fs.ModeSymlink != 0:
			link, err := os.Readlink(path)
			if err != nil {
				return err
			}
			return os.Symlink(link, target)
		case d.Type().IsRegular():
			return copyRegular(path, target, info.Mode().Perm())
		}
		return nil
	})
}

func copyRegular(from, to string, mode fs.FileMode) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		return errors.Join(err, out.Close())
	}
	return out.Close()
}
