package plan

import (
	"crypto/sha256"

	"github.com/slipway-cd/slipway/internal/config"
	"github.com/slipway-cd/slipway/internal/fault"
)

// python adds the file that an environment is made from to what a step depends
// on, whatever its globs say. key names the environment in slipway.yaml.
func (m *maker) python(key string, p *config.Python, in input) (input, error) {
	with := p.With()
	if with == nil {
		return in, nil
	}
	name := with.File()
	var names []string
	for _, f := range m.facts.Files {
		names = append(names, f.Path)
		if f.Path != name {
			continue
		}
		h := sha256.New()
		part(h, "python", string(in.digest), f.Mode, f.Blob)
		depends := in.depends
		return input{sum(h), func(path string) bool { return path == name || depends(path) }}, nil
	}
	return in, fault.New(fault.Invalid, "%s: there is no file %s in the commit", key, name).
		At(config.FileName).Hint("%s; new files have to be committed", fault.DidYouMean(name, names))
}
