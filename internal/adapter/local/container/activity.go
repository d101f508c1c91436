//go:build linux

package container

import (
	"os"
	"strconv"
	"strings"
	"time"
)

// Activity is what the processes of a container do.
type Activity struct {
	Stopped bool          // a signal stopped one of them (SIGSTOP), and no debugger is attached to it
	CPU     time.Duration // that those which run have used so far
}

// Activity returns what the processes of the container do.
func (b *Container) Activity() Activity { return activityOf("/proc", b.pid) }

// clockTick is the unit of the times in /proc/PID/stat (USER_HZ), the same on every
// architecture that Go supports.
const clockTick = 10 * time.Millisecond

// activityOf returns what a process and its descendants do.
func activityOf(proc string, root int) (a Activity) {
	family, ok := walkChildren(proc, root)
	if !ok {
		family = descendants(parents(proc), root)
	}
	for _, pid := range family {
		raw, err := os.ReadFile(proc + "/" + strconv.Itoa(pid) + "/stat")
		if err != nil {
			continue // it has exited
		}
		// The name in parentheses may contain anything: start after the last one.
		fields := strings.Fields(string(raw[strings.LastIndexByte(string(raw), ')')+1:]))
		if len(fields) < 13 {
			continue
		}
		a.Stopped = a.Stopped || fields[0] == "T" // "t": by a debugger
		for _, field := range fields[11:13] {     // in user and in kernel mode
			ticks, _ := strconv.ParseInt(field, 10, 64) // the kernel writes numbers
			a.CPU += time.Duration(ticks) * clockTick
		}
	}
	return a
}
