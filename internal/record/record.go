// Package record defines what Slipway records about its own work: runs with their
// plans and step results, the queue of each environment, cached results, and
// messages to send. Models, releases, deployments and approvals are ports of their
// own (package port), since a foreign system may keep them. One folder below holds
// each database; storetest is the suite that all of them pass.
package record

import (
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/plan"
	"github.com/slipway-cd/slipway/internal/step"
)

// RunState is where a run stands.
type RunState string

// The states. Only Ended is final; Waiting is outside the queue.
const (
	Queued  RunState = "queued"
	Running RunState = "running"
	Waiting RunState = "waiting" // for a person
	Ended   RunState = "ended"
)

// Run is one execution of a plan.
type Run struct {
	RunSummary
	Plan plan.Plan `json:"plan"`
}

// RunSummary is a run without its plan, as lists have it.
type RunSummary struct {
	ID          delivery.RunID       `json:"run"`
	Environment delivery.Environment `json:"environment"`
	Seq         int64                `json:"seq"`  // place in the queue: given by Enqueue
	Turn        int                  `json:"turn"` // 1; one more each time it continues after waiting
	State       RunState             `json:"state"`
	Outcome     delivery.Outcome     `json:"outcome,omitempty"`
	Cause       string               `json:"cause,omitempty"`
	Hint        string               `json:"hint,omitempty"`
	Release     delivery.ReleaseID   `json:"release,omitempty"`
	By          delivery.Actor       `json:"by"`
	PID         int                  `json:"pid,omitempty"`    // of the process that runs it, for people
	Host        string               `json:"host,omitempty"`   //
	CancelledBy delivery.Actor       `json:"cancel,omitzero"`  // who asked for it to stop
	PlanDigest  delivery.Digest      `json:"plan_digest"`      // plan.Digest; given by Enqueue
	Commit      string               `json:"commit,omitempty"` // SHA of the plan's commit; given by Enqueue
	CreatedAt   time.Time            `json:"created_at"`
	StartedAt   time.Time            `json:"started_at,omitzero"`
	EndedAt     time.Time            `json:"ended_at,omitzero"`
}

// StepRecord is the last that is known of a step of a run.
type StepRecord struct {
	Run     delivery.RunID `json:"run"`
	Name    string         `json:"name"`
	Index   int            `json:"index"` // in the plan; undo steps come after all others
	Kind    step.Kind      `json:"kind"`
	Attempt int            `json:"attempt"`
	Begun   time.Time      `json:"begun"`
	Result  *step.Result   `json:"result,omitempty"` // nil while it runs

	Unmet     string `json:"unmet,omitempty"`     // why it was not run
	Cancelled string `json:"cancelled,omitempty"` // who stopped the run before it ended
}

// Store is a database with all records of Slipway's own work. Opening one that is
// damaged or belongs to another program is fault.Corrupt with a hint, one of a
// newer version is fault.Conflict.
type Store interface {
	Runs() Runs
	Cache() Cache
	Outbox() Outbox
	Close() error
}
