//go:build !linux

package box

import (
	"fmt"
	"os"
)

// Run reports that there are no boxes on this system.
func Run([]string) int {
	fmt.Fprintln(os.Stderr, "this command is internal to Slipway, and works on Linux only")
	return errorCode
}
