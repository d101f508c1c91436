//go:build linux

package container

import "golang.org/x/sys/unix"

// MaxProcesses is how many processes and threads a replica may have, unless its Spec
// says otherwise: far more than a server has, and far fewer than stop a machine.
const MaxProcesses = 4096

// minScratch is the smallest size of /tmp and /dev/shm.
const minScratch = 256 << 20

// scratchSize is the size in bytes of the /tmp of a container, and of its /dev/shm: both
// are memory. It is the limit of its memory, or a quarter of the machine's.
func scratchSize(memory int64) int64 {
	if memory > 0 {
		return max(memory, minScratch)
	}
	var info unix.Sysinfo_t
	if unix.Sysinfo(&info) != nil {
		return minScratch
	}
	return max(int64(info.Totalram)*int64(info.Unit)/4, minScratch)
}
