// Package step is the contract between the engine and the steps: requests,
// results, and the parameters that a plan stores for each kind of step. Every
// folder below holds one step, or what several steps share.
package step

import (
	"context"
	"encoding/json"

	"github.com/slipway-cd/slipway/internal/delivery"
)

// Kind names the code that runs a step. Plans are stored, so a kind that was
// released is never renamed.
type Kind string

// The kinds.
const (
	Test     Kind = "test"
	Build    Kind = "build"
	Scan     Kind = "scan"
	Push     Kind = "push"
	Train    Kind = "train"
	Evaluate Kind = "evaluate"
	Register Kind = "register"
	Approve  Kind = "approve"
	Deploy   Kind = "deploy"
	Verify   Kind = "verify"
	Watch    Kind = "watch"
	Rollback Kind = "rollback"
	Attest   Kind = "attest"
)

// Action is what the plan expects to happen to a step.
type Action string

// The actions.
const (
	ActionRun    Action = "run"
	ActionCached Action = "cached"
	ActionSkip   Action = "skip"
)

// Spec is one step of a plan: data that outlives the version that wrote it.
type Spec struct {
	Name      string                 `json:"name"`              // unique in the plan: "test.unit", "build"
	Kind      Kind                   `json:"kind"`              //
	Needs     []string               `json:"needs,omitempty"`   // names of steps that must have succeeded
	Reads     []string               `json:"reads,omitzero"`    // of Needs: those whose outputs the result depends on; nil: all
	Params    json.RawMessage        `json:"with,omitempty"`    // one of the Params types of this package
	Unkeyed   []string               `json:"unkeyed,omitempty"` // of Params: what no result depends on, such as "on.section.price"
	Inputs    delivery.Digest        `json:"inputs,omitempty"`
	Cacheable bool                   `json:"cacheable,omitempty"` // same key, same result
	SkipCache bool                   `json:"fresh,omitempty"`     // run even if cached (--retrain, --rebuild)
	Timeout   delivery.Duration      `json:"timeout,omitempty"`   // 0: none
	Retries   int                    `json:"retries,omitempty"`   // retries after an error that may be temporary
	Undo      Kind                   `json:"undo,omitempty"`      // kind of the step that undoes it, once it has started
	Estimate  *delivery.CostEstimate `json:"estimate,omitempty"`  // what its job costs; nil: not known, or nothing
	Budget    *Budget                `json:"budget,omitempty"`    // that its job is held to
	Action    Action                 `json:"action"`              // what the plan expects
	Reason    string                 `json:"why"`                 // why it is expected
}

// Step runs steps of one kind. Run is idempotent: after a kill it may be called
// again for the same request, and finds what it had begun. An error may be
// retried by the engine; a gate that failed is a Result with OutcomeFailed.
// OutcomeWaiting means that a person has to decide first: Run is called again
// later.
type Step interface {
	Run(ctx context.Context, r Request) (Result, error)
}

// CacheValidator is a step that checks a cached result before it is used: ok is
// false if its artifacts are gone. It may refresh what does not depend on the
// step's own inputs, such as gates over the champion.
type CacheValidator interface {
	Revalidate(ctx context.Context, r Request, cached Result) (fresh Result, ok bool, err error)
}

// Fingerprinter is a step whose result also depends on tools: their versions
// become part of the cache key. It is called while planning, and must be quick.
type Fingerprinter interface {
	Fingerprint(ctx context.Context, s Spec) (string, error)
}

// ResultFinder is a step that may find its result elsewhere instead of working for
// it, as in a registry. It is called while planning, and changes nothing.
type ResultFinder interface {
	FindResult(ctx context.Context, service string, s Spec) (Result, bool, error)
}
