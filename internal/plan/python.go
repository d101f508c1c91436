package plan

import (
	"crypto/sha256"
	"path"
	"regexp"
	"strings"

	"github.com/slipway-cd/slipway/internal/config"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/step"
)

// addPythonInputs adds the files that define a Python environment to what a step
// depends on, whatever its globs match. key names the environment in
// slipway.yaml.
func (pl *planner) addPythonInputs(key string, p *config.Python, in input) (input, error) {
	with := p.Params()
	if with == nil {
		return in, nil
	}
	name := with.File()
	if name == "" {
		return in, nil // the packages are among the step's parameters
	}
	own := func(path string) bool { return path == name || mayInclude(name, path) }
	h := sha256.New()
	writeParts(h, "python", string(in.digest))
	var names []string
	found := false
	for _, f := range pl.facts.Files {
		names = append(names, f.Path)
		found = found || f.Path == name
		if own(f.Path) {
			writeParts(h, f.Path, f.Mode, f.Blob)
		}
	}
	if !found {
		return in, fault.New(fault.Invalid, "%s: file %s not found in the commit", key, name).
			Location(config.FileName).Hint("%s; new files must be committed", fault.DidYouMean(name, names))
	}
	depends := in.matches
	return input{delivery.DigestFromHash(h), func(path string) bool { return own(path) || depends(path) }}, nil
}

// requirementsPattern matches the usual names of requirements and constraints
// files.
var requirementsPattern = regexp.MustCompile(`(?i)(requir|constrain)[^/]*$`)

// mayInclude reports whether file may define a part of the environment, too: a
// plan does not read what files include. One file too many makes a step run once
// more than necessary; one too few would reuse an outdated environment.
func mayInclude(requirements, file string) bool {
	dir := path.Dir(requirements)
	switch path.Base(requirements) {
	case step.UVLock, step.PoetryLock:
		return file == path.Join(dir, "pyproject.toml")
	case step.PipfileLock, step.CondaLock:
		return false
	}
	beside := dir == "." || strings.HasPrefix(file, dir+"/")
	return beside && (path.Ext(file) == ".txt" || path.Ext(file) == path.Ext(requirements)) || requirementsPattern.MatchString(file)
}
