package delivery

import (
	"encoding/json"
	"maps"
)

// Configuration is how a release runs: as it was made, or as an environment
// overrides it.
type Configuration struct {
	Workload  Workload `json:"workload"`
	Manifests Digest   `json:"manifests,omitempty"` // of Objects, or of the workload when there are none
	Objects   string   `json:"objects,omitempty"`   // rendered manifests: JSON array, without values of Secrets
	Unknown   Unknown  `json:"-"`
}

// Overrides are an environment's changes to the configuration of every release that
// is deployed there. The zero value changes nothing; of Workload's fields a nil one
// stays as it is.
type Overrides struct {
	Env       map[string]string `json:"env,omitempty"` // merged by name
	Args      []string          `json:"args,omitempty"`
	Replicas  *int              `json:"replicas,omitempty"`
	CPU       *float64          `json:"cpu,omitempty"`
	Memory    *int64            `json:"memory,omitempty"`
	Manifests []string          `json:"manifests,omitempty"` // instead of the release's; relative to the checkout
	Values    []string          `json:"values,omitempty"`    // after the release's own; relative to the checkout
}

// IsZero reports whether the overrides change nothing.
func (o Overrides) IsZero() bool {
	return len(o.Env) == 0 && o.Args == nil && o.Replicas == nil && o.CPU == nil && o.Memory == nil &&
		len(o.Manifests) == 0 && len(o.Values) == 0
}

// Apply returns the workload with the overrides; w is not changed.
func (o Overrides) Apply(w Workload) Workload {
	if len(o.Env) > 0 {
		env := maps.Clone(w.Env)
		if env == nil {
			env = map[string]string{}
		}
		maps.Copy(env, o.Env)
		w.Env = env
	}
	if o.Args != nil {
		w.Args = o.Args
	}
	if o.Replicas != nil {
		w.Replicas = *o.Replicas
	}
	if o.CPU != nil {
		w.CPU = *o.CPU
	}
	if o.Memory != nil {
		w.Memory = *o.Memory
	}
	return w
}

// Digest returns the digest of the workload. It stands for that of the objects where
// none are rendered.
func (w Workload) Digest() Digest { return digestOfJSON(w) }

// Digest returns the digest of the configuration.
func (c Configuration) Digest() Digest { return digestOfJSON(c) }

func digestOfJSON(v any) Digest {
	raw, err := json.Marshal(v)
	if err != nil {
		return "" // strings, numbers and maps of them: it cannot happen
	}
	return DigestOf(raw)
}
