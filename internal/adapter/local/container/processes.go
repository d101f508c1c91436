//go:build linux

package container

import (
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/slipway-cd/slipway/internal/sandbox"
)

// limitUserProcesses sets the resource limit of a container's first process, which all
// others inherit. An ordinary user often has no cgroup that would limit them.
func limitUserProcesses(pid, limit int) error {
	value := unix.Rlimit{Cur: uint64(limit), Max: uint64(limit)}
	return unix.Prlimit(pid, unix.RLIMIT_NPROC, &value, nil)
}

// canLimitUserProcesses reports whether the resource limit would count the processes of
// one container alone: those of its user namespace, which root's containers do not have,
// and before Linux 5.14 those of the user on the whole machine.
func canLimitUserProcesses() bool {
	var u unix.Utsname
	if sandbox.IsRoot() || unix.Uname(&u) != nil {
		return false
	}
	major, rest, _ := strings.Cut(unix.ByteSliceToString(u.Release[:]), ".")
	minor, _, _ := strings.Cut(rest, ".")
	minor, _, _ = strings.Cut(minor, "-")
	first, err1 := strconv.Atoi(major)
	second, err2 := strconv.Atoi(minor)
	return err1 == nil && err2 == nil && (first > 5 || first == 5 && second >= 14)
}
