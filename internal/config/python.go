package config

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/step"
)

// lockFiles are the names of the lock files that are understood.
var lockFiles = []string{step.UVLock, step.PoetryLock, step.PipfileLock, step.CondaLock}

// pythonPattern is a version of Python: 3.11, or 3.11.7.
const pythonPattern = `^3\.[0-9]{1,2}(\.[0-9]{1,3})?$`

// packagePattern is one of pip's requirements: a name with extras, versions and
// markers. URLs and paths belong in a requirements file.
const packagePattern = `^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?( *\[ *[A-Za-z0-9._-]+( *, *[A-Za-z0-9._-]+)* *\])?` +
	`( *(===|==|~=|!=|<=|>=|<|>) *[A-Za-z0-9.*+!_-]+( *, *(===|==|~=|!=|<=|>=|<|>) *[A-Za-z0-9.*+!_-]+)*)?( *;[^\n\r#\\]*)?$`

// Params returns the parameters of a step; nil stays nil.
func (p *Python) Params() *step.PythonParams {
	if p == nil {
		return nil
	}
	return &step.PythonParams{Requirements: cleanPath(p.Requirements), Lock: cleanPath(p.Lock), Packages: p.Packages, Version: p.Version}
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
	switch {
	case p.Requirements != "" && p.Lock != "":
		d.addError(at, "such as requirements: requirements-dev.txt", "%s: set only one of requirements or lock", at)
	case p.Requirements == "" && p.Lock == "" && len(p.Packages) == 0:
		d.addError(at, "such as requirements: requirements-dev.txt, or packages: [pytest]", "%s: set requirements, lock or packages", at)
	}
	for i, text := range p.Packages {
		if here := fmt.Sprintf("%s.packages[%d]", at, i); !matches(packagePattern, text) {
			d.addError(here, `such as pytest or "ruff==0.14.1"; URLs, paths and options go in a requirements file`, "%s: %q is not a package", here, text)
		}
	}
	for key, file := range map[string]string{"requirements": p.Requirements, "lock": p.Lock} {
		if path.IsAbs(file) || leavesRoot(file) || strings.ContainsAny(file, "\\\n") {
			d.addError(at+"."+key, "use a path below the folder of this file", "%s.%s: %q is outside the repository", at, key, file)
		}
	}
	switch kind := path.Base(p.Lock); {
	case p.Lock != "" && !slices.Contains(lockFiles, kind):
		d.addError(at+".lock", "use "+fault.Enumerate(lockFiles)+"; files in pip's format go in requirements", "%s.lock: unsupported lock file %q", at, p.Lock)
	case kind == step.CondaLock && p.Version != "":
		d.addError(at+".version", "remove it: the file locks Python as well", "%s.version: not used with %s", at, kind)
	}
	if p.Version != "" && !matches(pythonPattern, p.Version) {
		d.addError(at+".version", `such as "3.11"`, "%s.version: %q is not a valid Python 3 version", at, p.Version)
	}
}
