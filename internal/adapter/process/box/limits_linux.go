package box

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/slipway-cd/slipway/internal/sandbox"
)

// maxProcesses is how many processes and threads a box may have: more than any build
// needs, and fewer than stop a machine.
const maxProcesses = 32768

// limitNumbers limits the processes of root's box by the numbers that they can have in its
// process namespace, of which this process is the first one: the resource limit does not
// bind root. Before Linux 6.14 all namespaces have the machine's limit, which is left
// alone; root's boxes have no other then.
func limitNumbers(proc string) error {
	if !sandbox.IsRoot() || !numbersPerNamespace(kernelRelease()) {
		return nil
	}
	err := os.WriteFile(filepath.Join(proc, "sys/kernel/pid_max"), []byte(strconv.Itoa(maxProcesses)), 0)
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, unix.EROFS) { // by rules of a container that the box is made in
		return nil
	}
	return sandbox.Annotate("limit the processes", err)
}

// kernelRelease is that of uname, such as "6.14.0"; "" if the kernel does not tell.
func kernelRelease() string {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return ""
	}
	return unix.ByteSliceToString(u.Release[:])
}

// numbersPerNamespace reports whether a release of Linux has a pid_max in each namespace.
func numbersPerNamespace(release string) bool {
	var major, minor int
	if n, err := fmt.Sscanf(release, "%d.%d", &major, &minor); n != 2 || err != nil {
		return false
	}
	return major > 6 || major == 6 && minor >= 14
}
