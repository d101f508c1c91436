package extension

import "github.com/slipway-cd/slipway/internal/port"

// ModelRegistry is a kind of model registry: model: {registry: KIND}.
type ModelRegistry struct {
	Kind        Kind
	Description string
	New         func(h Host) (port.ModelRegistry, error)
}

// JobRunner is where training and evaluation run: on: {KIND: {section}}.
type JobRunner struct {
	Kind        Kind
	Description string
	Example     string
	Section     Section
	New         func(h Host) (port.Jobs, error)
	Commands    []Command
}
