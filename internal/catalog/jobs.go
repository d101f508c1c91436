package catalog

import (
	"encoding/json"
	"maps"
	"slices"
	"sync"

	"github.com/slipway-cd/slipway/internal/extension"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/step"
)

// jobRunners makes each runner once for each of its sections.
type jobRunners struct {
	set  extension.Set
	host extension.Host

	mu   sync.Mutex
	made map[string]port.Jobs
}

// on returns the runner of a step's parameters; the zero value is the default one.
func (r *jobRunners) on(p step.RunnerParams) (port.Jobs, error) {
	kind, err := r.set.JobRunner(extension.Kind(p.Kind))
	if err != nil {
		return nil, err
	}
	section := kind.Section.New()
	if len(p.Section) > 0 {
		if err := json.Unmarshal(p.Section, section); err != nil {
			return nil, fault.New(fault.Invalid, "read the settings of the job runner %s", kind.Kind).Cause(err)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	key := string(kind.Kind) + string(p.Section)
	if r.made[key] == nil {
		jobs, err := kind.New(r.host, section)
		if err != nil {
			return nil, err
		}
		r.made[key] = jobs
	}
	return r.made[key], nil
}

func (r *jobRunners) all() []any {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []any
	for _, jobs := range slices.Collect(maps.Values(r.made)) {
		all = append(all, jobs)
	}
	return all
}
