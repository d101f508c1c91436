// Package record says what Slipway remembers: runs with their plans and step
// results, the queue of every environment, cached results, messages to send, and
// (by the ports it includes) releases, deployments and models. One folder below
// holds each database; storetest is the suite that all of them pass.
package record

import (
	"context"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/plan"
	"github.com/slipway-cd/slipway/internal/port"
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
	ID          delivery.RunID       `json:"run"`
	Environment delivery.Environment `json:"environment"`
	Seq         int64                `json:"seq"`  // place in the queue: given by Enqueue
	Turn        int                  `json:"turn"` // 1; one more each time it continues after waiting
	State       RunState             `json:"state"`
	Outcome     delivery.Outcome     `json:"outcome,omitempty"`
	Cause       string               `json:"cause,omitempty"`
	Hint        string               `json:"hint,omitempty"`
	Release     delivery.ReleaseID   `json:"release,omitempty"`
	By          string               `json:"by"`
	PID         int                  `json:"pid,omitempty"`    // of the process that runs it, for people
	Host        string               `json:"host,omitempty"`   //
	CancelledBy string               `json:"cancel,omitempty"` // who asked for it to stop
	Plan        plan.Plan            `json:"plan"`
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
}

// Runs keeps runs and their queue. Every method is atomic.
type Runs interface {
	// Enqueue adds the run at the end of its environment's queue (state Queued)
	// and returns it with its Seq; a run that is known is returned as it is.
	Enqueue(ctx context.Context, r Run) (Run, error)
	// Requeue puts a Waiting run at the end of the queue again, one Turn later.
	// A run in any other state is returned unchanged.
	Requeue(ctx context.Context, id delivery.RunID) (Run, error)
	// Head is the run at the head of an environment's queue: the Queued or
	// Running one with the smallest Seq.
	Head(ctx context.Context, env delivery.Environment) (r Run, ok bool, err error)
	// Run finds one; fault.NotFound otherwise. A plan of a newer version than
	// plan.Version is fault.Conflict.
	Run(ctx context.Context, id delivery.RunID) (Run, error)
	// Runs lists up to limit, newest first (0: all), of one environment or all.
	Runs(ctx context.Context, env delivery.Environment, limit int) ([]Run, error)
	// Unfinished lists Queued and Running runs by Seq.
	Unfinished(ctx context.Context) ([]Run, error)
	// Start marks it Running by that process.
	Start(ctx context.Context, id delivery.RunID, pid int, host string, at time.Time) error
	// Finish ends the run, or with outcome delivery.OutcomeWaiting sets it aside. What
	// has Ended stays as it is.
	Finish(ctx context.Context, id delivery.RunID, f RunResult) error
	// RequestCancel asks whoever runs it to stop; the first request stays.
	RequestCancel(ctx context.Context, id delivery.RunID, by string) error
	// SaveStep keeps the newest record of a step. A result is never replaced by
	// a record without one of the same attempt.
	SaveStep(ctx context.Context, s StepRecord) error
	// Steps lists a run's steps by Index.
	Steps(ctx context.Context, id delivery.RunID) ([]StepRecord, error)
}

// StepBatcher is a store that keeps many step records at the cost of one.
type StepBatcher interface {
	// SaveSteps is SaveStep for each, in order, all or none.
	SaveSteps(ctx context.Context, steps []StepRecord) error
}

// RunResult is how a run ended.
type RunResult struct {
	Outcome delivery.Outcome
	Cause   string
	Hint    string
	Release delivery.ReleaseID
	At      time.Time
}

// Cache keeps results by the digest of everything that they depend on.
type Cache interface {
	// Put keeps a successful result; the newest stays.
	Put(ctx context.Context, key delivery.Digest, run delivery.RunID, r step.Result) error
	// Lookup finds one.
	Lookup(ctx context.Context, key delivery.Digest) (r step.Result, ok bool, err error)
	// Prune removes entries that were neither written nor recalled since then,
	// and returns how many.
	Prune(ctx context.Context, since time.Time) (int, error)
}

// OutboxMessage is a message to one receiver that has not been delivered.
type OutboxMessage struct {
	ID       int64
	Receiver string // Notifier.Name
	Message  port.Message
	Attempts int
	Next     time.Time // not before
}

// Outbox keeps messages until they are delivered.
type Outbox interface {
	// Post keeps a message for a receiver; the same message ID for the same
	// receiver is kept once.
	Post(ctx context.Context, receiver string, m port.Message) error
	// Due lists messages whose time has come, oldest first.
	Due(ctx context.Context, now time.Time, limit int) ([]OutboxMessage, error)
	// MarkSent removes a delivered (or hopeless) message.
	MarkSent(ctx context.Context, id int64) error
	// Reschedule counts an attempt and sets the next time.
	Reschedule(ctx context.Context, id int64, next time.Time) error
}

// Store is everything. Opening one that is not ours, or that is damaged, is
// fault.Corrupt and says what to do; one of a newer version is fault.Conflict.
type Store interface {
	Runs
	Cache
	Outbox
	port.ModelRegistry
	port.ReleaseStore
	port.DeploymentStore
	port.ApprovalStore
	Close() error
}
