//go:build !linux && !darwin

package digest

import "io/fs"

// look does not know this system: nothing is cached, every byte is read.
func stampOf(fs.FileInfo) (s stamp, ok bool) { return stamp{}, false }
