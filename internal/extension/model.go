package extension

import "github.com/slipway-cd/slipway/internal/port"

// ModelRegistry is a kind of model registry: model: {registry: KIND}, or with a section
// {registry: {KIND: {section}}}.
type ModelRegistry struct {
	Kind        Kind
	Description string
	Example     string  // for hints, with a section
	Section     Section // none: the file names the kind alone
	// Address returns the address of the server that gets the section's credentials; nil
	// without a section.
	Address func(section any) Secret
	// New gets the section; nil without one. It connects to nothing yet.
	New func(h Host, section any) (port.ModelRegistry, error)
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
