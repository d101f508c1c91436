// Package plan turns a project and a trigger into the steps to run. It is pure:
// the same input makes the same plan, and nothing is touched.
package plan

import (
	"slices"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/step"
)

// Version is the newest version of the plan format. A reader refuses a newer one than it
// supports, and finishes every older one.
const Version = 2

// firstVersion is the version of plans without what a later one brought. A plan has the
// oldest version that carries it out as it is meant: machines that share the records need
// not be updated at once.
const firstVersion = 1

// version is that of the format which the plan needs. Version 2 brought what one that
// does not know it would leave out in silence: budgets, which it would not ask for, and
// data in a store of objects, without which it would train.
func (p *Plan) version() int {
	if len(p.Datasets) > 0 || slices.ContainsFunc(p.Steps, func(s step.Spec) bool { return s.Budget != nil }) {
		return Version
	}
	return firstVersion
}

// Purpose is what a run is for.
type Purpose string

// The purposes.
const (
	Deliver  Purpose = "deliver"  // from a commit
	Promote  Purpose = "promote"  // --deploy-only: a release that exists
	Rollback Purpose = "rollback" // `slipway rollback`
)

// Plan is what a run will do: data, stored with the run.
type Plan struct {
	Version     int                  `json:"version"`
	Purpose     Purpose              `json:"purpose"`
	Run         delivery.RunID       `json:"run"`
	Service     string               `json:"service"`
	Environment delivery.Environment `json:"environment"`
	Commit      delivery.Commit      `json:"commit,omitzero"`
	Trigger     Trigger              `json:"trigger"`
	Replaces    delivery.ReleaseID   `json:"replaces,omitempty"` // what served when it was made
	Skip        string               `json:"skip,omitempty"`     // why there is nothing to do
	Repairs     delivery.ReleaseID   `json:"repairs,omitempty"`  // what is deployed; only the live state differs from its record
	Warnings    []string             `json:"warnings,omitempty"` // what people should know before it runs
	Held        string               `json:"held,omitempty"`     // why it does not train although its inputs changed, and what would; also a warning
	Box         Box                  `json:"box,omitzero"`       // of its commands, if it has any
	Cost        *Cost                `json:"cost,omitempty"`     // of its jobs, as far as prices are known
	Datasets    []delivery.Dataset   `json:"datasets,omitempty"` // that it trains with, as they are pinned
	Steps       []step.Spec          `json:"steps"`              // every need before its giver's users
}
