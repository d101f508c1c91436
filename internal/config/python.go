package config

import (
	"path"
	"strings"

	"github.com/slipway-cd/slipway/internal/step"
)

// pythonPattern is a version of Python: 3.11, or 3.11.7.
const pythonPattern = `^3\.[0-9]{1,2}(\.[0-9]{1,3})?$`

// Params returns the parameters of a step; nil stays nil.
func (p *Python) Params() *step.PythonParams {
	if p == nil {
		return nil
	}
	return &step.PythonParams{Requirements: cleanPath(p.Requirements), Lock: cleanPath(p.Lock), Version: p.Version}
}

func cleanPath(file string) string {
	if file == "" {
		return ""
	}
	return path.Clean(file)
}

func (d *decoder) validatePython(at string, p *Python) {
	if p == nil {
		return
	}
	if (p.Requirements == "") == (p.Lock == "") {
		d.addError(at, "such as requirements: requirements-dev.txt", "%s: set exactly one of requirements or lock", at)
	}
	for key, file := range map[string]string{"requirements": p.Requirements, "lock": p.Lock} {
		if path.IsAbs(file) || leavesRoot(file) || strings.ContainsAny(file, "\\\n") {
			d.addError(at+"."+key, "use a path below the folder of this file", "%s.%s: %q is outside the repository", at, key, file)
		}
	}
	if p.Lock != "" && path.Base(p.Lock) != step.UVLock {
		d.addError(at+".lock", "use uv.lock here; files in pip's format go in requirements", "%s.lock: unsupported lock file %q", at, p.Lock)
	}
	if p.Version != "" && !matches(pythonPattern, p.Version) {
		d.addError(at+".version", `such as "3.11"`, "%s.version: %q is not a valid Python 3 version", at, p.Version)
	}
}
