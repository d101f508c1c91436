package port

import "context"

// Change is what a release would do to one object of a place.
type Change struct {
	Action string `json:"action"` // create | change | remove
	Kind   string `json:"kind"`
	Name   string `json:"name"` // with its namespace, when that is another than the place's
	Diff   string `json:"diff,omitempty"`
}

// Differ is a target that can tell what a release would change.
type Differ interface {
	// Diff asks the place and changes nothing. Values of secrets are masked.
	// Objects that would stay as they are are left out.
	Diff(ctx context.Context, o DeployRequest) ([]Change, error)
}
