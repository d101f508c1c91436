package filetrust

import (
	"fmt"
	"os"
	"syscall"
)

// Identity returns what tells a folder from every copy of it: its number in the file
// system, and when it was made there.
func Identity(dir string) (id string, known bool) {
	info, err := os.Stat(dir)
	if err != nil {
		return "", false
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return "", false
	}
	return fmt.Sprintf("%d %d.%09d", st.Ino, st.Birthtimespec.Sec, st.Birthtimespec.Nsec), true
}
