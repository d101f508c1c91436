//go:build linux

package sandbox

import (
	"fmt"
	"os"
	"strings"
)

// IsRoot reports whether this process is root, and can become other users. In a user
// namespace that maps one user only, as `unshare -r` makes it, user 0 is an ordinary
// user by another name.
func IsRoot() bool {
	if os.Geteuid() != 0 {
		return false
	}
	raw, err := os.ReadFile("/proc/self/uid_map")
	return err != nil || mapsSeveral(string(raw))
}

// mapsSeveral reports whether a map of users has more than one.
func mapsSeveral(uidMap string) bool {
	total := int64(0)
	for line := range strings.Lines(uidMap) {
		var inside, outside, count int64
		if n, _ := fmt.Sscan(line, &inside, &outside, &count); n == 3 {
			total += count
		}
	}
	return total > 1
}
