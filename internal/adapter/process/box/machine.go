package box

import (
	"os"
	"path/filepath"
)

// ThisMachine returns the machine as this process sees it.
func ThisMachine(hidden []string) Machine {
	m := Machine{Home: os.Getenv("HOME"), Path: filepath.SplitList(os.Getenv("PATH")), Hidden: hidden, Resolve: resolve}
	for _, name := range toolVariables {
		if dir := os.Getenv(name); dir != "" {
			m.Tools = append(m.Tools, dir)
		}
	}
	return m
}

func resolve(path string) string {
	if !filepath.IsAbs(path) {
		return ""
	}
	resolved, err := filepath.EvalSymlinks(path)
	if err != nil {
		return ""
	}
	return resolved
}
