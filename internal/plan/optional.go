package plan

import (
	"github.com/slipway-cd/slipway/internal/extension"
	"github.com/slipway-cd/slipway/internal/step"
)

// addOptional plans the project's optional steps of one stage, and returns their
// names.
func (pl *planner) addOptional(stage extension.Stage, needs []string) ([]string, error) {
	var names []string
	for _, s := range pl.project.Steps {
		if s.Stage != stage {
			continue
		}
		name := string(s.Kind)
		names = append(names, name)
		spec := step.Spec{Name: name, Kind: s.Kind, Needs: needs, Timeout: s.Timeout, Reason: s.Reason}
		if !s.Cacheable {
			pl.add(spec, s.Params)
			continue
		}
		in, err := pl.inputs(name+".inputs", nil, false)
		if err != nil {
			return nil, err
		}
		pl.addCached(spec, in, s.Params)
	}
	return names, nil
}
