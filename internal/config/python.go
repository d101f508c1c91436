package config

import (
	"path"
	"strings"

	"github.com/slipway-cd/slipway/internal/step"
)

// pythonPattern is a version of Python: 3.11, or 3.11.7.
const pythonPattern = `^3\.[0-9]{1,2}(\.[0-9]{1,3})?$`

// Params is what a step is told of it; nil stays nil.
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
		d.addError(at, "either requirements or lock, such as requirements: requirements-dev.txt", "%s: it has to say what to install, once", at)
	}
	for key, file := range map[string]string{"requirements": p.Requirements, "lock": p.Lock} {
		if path.IsAbs(file) || leavesRoot(file) || strings.ContainsAny(file, "\\\n") {
			d.addError(at+"."+key, "a file below the folder of this one", "%s.%s: %q is outside of the repository", at, key, file)
		}
	}
	if p.Lock != "" && path.Base(p.Lock) != step.UVLock {
		d.addError(at+".lock", "uv.lock; a file that pip reads is named by requirements", "%s.lock: %q is no lock file that can be read", at, p.Lock)
	}
	if p.Version != "" && !matches(pythonPattern, p.Version) {
		d.addError(at+".version", `such as "3.11"`, "%s.version: %q is no version of Python 3", at, p.Version)
	}
}
