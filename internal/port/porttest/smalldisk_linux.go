package porttest

import (
	"os"
	"syscall"
	"testing"
)

// SmallDisk is a folder with room for size (as mount takes it: "4m") until the
// test ends. It takes root; without, the test is skipped.
func SmallDisk(t *testing.T, size string) string {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("mounting a small file system needs root")
	}
	disk := t.TempDir()
	if err := syscall.Mount("none", disk, "tmpfs", 0, "size="+size); err != nil {
		t.Skipf("this machine allows no mount: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(disk, syscall.MNT_DETACH) })
	return disk
}
