// Package shelf is a target that a test adds.
package shelf

import (
	"context"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/extension"
	"github.com/slipway-cd/slipway/internal/port"
)

// Section is target.shelf.
type Section struct {
	Board int    `yaml:"board" json:"board" jsonschema:"required,minimum=1" jsonschema_description:"Board of the shelf, from below."`
	Room  string `yaml:"room" json:"room,omitempty" jsonschema_description:"Room of the shelf."`
}

// Extension describes the target to the catalog.
func Extension() extension.Target {
	return extension.Target{
		Kind: "shelf", Description: "A shelf.", Example: "shelf: {board: 1}", Section: extension.SectionOf[Section](nil),
		Abilities: extension.Abilities{Manifests: true},
		New:       func(extension.Host) (port.Target, error) { return Target{}, nil },
	}
}

// Target puts releases on a board.
type Target struct{ Section Section }

// For is the target for one board.
func (t Target) For(l delivery.Location) (port.Target, error) {
	err := l.Decode(&t.Section)
	return t, err
}

func (Target) Stage(context.Context, port.DeployRequest, func(string)) (string, error) {
	return "http://127.0.0.1:1", nil
}

func (Target) Promote(_ context.Context, r port.DeployRequest, _ func(string)) (port.Observation, error) {
	return port.Observation{Release: r.ID}, nil
}

func (Target) Discard(context.Context, port.DeployRequest) error { return nil }

func (Target) Observe(context.Context, string, delivery.Environment) (port.Observation, error) {
	return port.Observation{}, nil
}

func (Target) Remove(context.Context, string, delivery.Environment) error { return nil }
