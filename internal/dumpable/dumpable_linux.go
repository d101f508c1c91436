// Package dumpable decides whether other processes of the same user may read this
// one's memory, environment and open files. exec makes every process dumpable again.
package dumpable

import "golang.org/x/sys/unix"

// Clear keeps this process from being read by others that lack CAP_SYS_PTRACE: what
// it holds is not for the commands that it runs, which have the same user.
func Clear() error { return unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0) }

// Set undoes Clear, for a process without secrets that makes user namespaces: their
// maps of users can't be written below the /proc folder of a process that is not
// dumpable.
func Set() error { return unix.Prctl(unix.PR_SET_DUMPABLE, 1, 0, 0, 0) }
