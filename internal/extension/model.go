package extension

import (
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/step"
)

// ModelRegistry is a kind of model registry: model: {registry: KIND}, or with a section
// {registry: {KIND: {section}}}.
type ModelRegistry struct {
	Kind        Kind
	Description string
	Example     string  // for hints, with a section
	Section     Section // none: the file names the kind alone
	// ReadsDockerImages: it takes images in Docker's format for linux/amd64 only. The
	// project's image is in that format then.
	ReadsDockerImages bool
	// Address returns the address of the server that gets the section's credentials; nil
	// without a section.
	Address func(section any) Secret
	// New gets the section; nil without one. It connects to nothing yet.
	New func(h Host, section any) (port.ModelRegistry, error)
}

// JobsOn returns the runner of a step's parameters.
type JobsOn func(on step.RunnerParams) (port.Jobs, error)

// JobRunner is where training and evaluation run: on: {KIND: {section}}.
type JobRunner struct {
	Kind        Kind
	Description string
	Example     string
	Section     Section
	// Remote commands inherit nothing of this machine's environment, and are only
	// started by a person unless the file says otherwise: they may cost money.
	Remote bool
	// DockerImage is the image in which the section's jobs run, where that has to be one in
	// Docker's format for linux/amd64. If it is the project's own, the project's image is in
	// that format. Nil: images of any format run.
	DockerImage func(section any) string
	// Rates returns what a job of the section may cost, by the instances that it may get;
	// nil: what jobs cost is not known. PriceKey is the section's key with the prices.
	Rates    func(section any) []delivery.Rate
	PriceKey string
	// TrainingOnly are keys of the section that evaluation has no use for.
	TrainingOnly []string

	New      func(h Host, section any) (port.Jobs, error)
	Commands []Command
}
