package box

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/slipway-cd/slipway/internal/sandbox"
)

// Where the machine's root and the new one are while the mounts are made.
const (
	oldRoot = "/old"
	newRoot = "/new"
)

// mountAll makes the plan's mounts the root. The machine's are gone afterwards.
func mountAll(p Plan) error {
	if err := enterScratch(); err != nil {
		return err
	}
	if err := unix.Mount(oldRoot, newRoot, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return sandbox.Annotate("bind-mount the root", err)
	}
	if err := allReadOnly(newRoot); err != nil {
		return sandbox.Annotate("make the file systems read-only", err)
	}
	for _, m := range p.Mounts {
		if err := m.apply(); err != nil {
			return sandbox.Annotate(fmt.Sprintf("mount %s (%s)", m.To, m.Action), err)
		}
	}
	if err := os.MkdirAll(newRoot+p.Home, 0o700); err != nil {
		return sandbox.Annotate("create the home folder", err)
	}
	return sandbox.PivotRoot(newRoot)
}

// enterScratch makes a folder in memory the root, below which the machine's root is.
func enterScratch() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return sandbox.Annotate("make the mounts private", err)
	}
	const base = "/tmp"
	if err := unix.Mount("tmpfs", base, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=755,size=1m"); err != nil {
		return sandbox.Annotate("mount a tmpfs", err)
	}
	for _, dir := range []string{oldRoot, newRoot} {
		if err := os.Mkdir(base+dir, 0o755); err != nil {
			return sandbox.Annotate("create "+dir, err)
		}
	}
	if err := unix.PivotRoot(base, base+oldRoot); err != nil {
		return sandbox.Annotate("pivot the root", err)
	}
	return sandbox.Annotate("change to the new root", unix.Chdir("/"))
}

// allReadOnly makes a mount and all below it read-only, and deaf to setuid bits.
func allReadOnly(root string) error {
	attr := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOSUID}
	err := unix.MountSetattr(unix.AT_FDCWD, root, unix.AT_RECURSIVE, &attr)
	if !errors.Is(err, unix.ENOSYS) {
		return err
	}
	mounts, err := os.Open(oldRoot + "/proc/self/mountinfo") // before Linux 5.12: one by one
	if err != nil {
		return err
	}
	defer mounts.Close()
	lines := bufio.NewScanner(mounts)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) < 5 || fields[4] != root && !strings.HasPrefix(fields[4], root+"/") {
			continue
		}
		path := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(fields[4])
		if err := sandbox.ReadOnly(path); err != nil && !errors.Is(err, fs.ErrNotExist) { // else hidden by another
			return err
		}
	}
	return lines.Err()
}

func (m Mount) apply() error {
	to := newRoot + m.To
	switch m.Action {
	case Empty:
		if err := os.MkdirAll(to, 0o755); err != nil {
			return err
		}
		mode := "mode=755"
		if filepath.Base(m.To) == "tmp" {
			mode = "mode=1777"
		}
		return unix.Mount("tmpfs", to, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, fmt.Sprintf("%s,size=%d", mode, memoryShare(4)))
	case Proc:
		return mountProc(to)
	case Devices:
		return mountDevices(to)
	}
	from := oldRoot + m.From
	if err := createMountPoint(from, to); err != nil {
		return err
	}
	if err := unix.Mount(from, to, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return err
	}
	if m.Action == ReadOnly {
		return allReadOnly(to)
	}
	return nil
}

// createMountPoint creates what a file or folder can be mounted on.
func createMountPoint(from, to string) error {
	info, err := os.Stat(from)
	if err != nil {
		return err
	}
	if info.IsDir() {
		return os.MkdirAll(to, 0o755)
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	f, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return f.Close()
}

// What of /proc speaks of, or changes, the whole machine: as container engines have it.
var (
	procReadOnly = []string{"bus", "fs", "irq", "sys", "sysrq-trigger"}
	procHidden   = []string{"kcore", "keys", "latency_stats", "sched_debug", "timer_list"}
)

func mountProc(to string) error {
	if err := unix.Mount("proc", to, "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return err
	}
	if err := limitNumbers(to); err != nil {
		return err
	}
	for _, name := range procReadOnly {
		path := filepath.Join(to, name)
		err := unix.Mount(path, path, "", unix.MS_BIND|unix.MS_REC, "")
		if err == nil {
			err = sandbox.ReadOnly(path)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return sandbox.Annotate("protect "+name, err)
		}
	}
	for _, name := range procHidden {
		err := unix.Mount(oldRoot+"/dev/null", filepath.Join(to, name), "", unix.MS_BIND, "")
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return sandbox.Annotate("hide "+name, err)
		}
	}
	return nil
}

// memoryShare is a share of the machine's memory in bytes: 4 is a quarter.
func memoryShare(part int64) int64 {
	const least = 256 << 20
	var info unix.Sysinfo_t
	if unix.Sysinfo(&info) != nil {
		return least
	}
	return max(int64(info.Totalram)*int64(info.Unit)/part, least)
}
