// Package filetrust tells whose a file is and which folder it is in, which decides
// whether it may choose what is run.
package filetrust

import (
	"io/fs"
	"os"
	"path/filepath"
)

// Foreign returns the owner of a path if that is neither the user nor root. Of a link,
// both the link and what it leads to count.
func Foreign(path string) (uid int, foreign bool) {
	for _, stat := range []func(string) (fs.FileInfo, error){os.Lstat, os.Stat} {
		info, err := stat(path)
		if err != nil {
			continue
		}
		if uid, known := Owner(info); known && uid != 0 && uid != os.Geteuid() {
			return uid, true
		}
	}
	return 0, false
}

// Resolved returns where a path leads, links resolved, or the path itself if that is
// nowhere.
func Resolved(path string) string {
	if target, err := filepath.EvalSymlinks(path); err == nil {
		return target
	}
	return path
}

// Within reports whether a path is the folder or in it, by name alone.
func Within(dir, path string) bool {
	rel, err := filepath.Rel(dir, path)
	return err == nil && filepath.IsLocal(rel)
}

// Controls reports whether whoever writes to the folder chooses the content of the file
// at the path: it is there by its name, or by where links lead.
func Controls(dir, path string) bool {
	for _, p := range []string{path, Resolved(path)} {
		if Within(dir, p) || Within(Resolved(dir), p) {
			return true
		}
	}
	return false
}
