package step

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
)

// Result is the outcome of a step.
type Result struct {
	Outcome               delivery.Outcome      `json:"outcome"`           // OutcomeSucceeded, OutcomeFailed, OutcomeWaiting, OutcomeCancelled or OutcomeSkipped
	Summary               string                `json:"summary,omitempty"` // one line: "212 passed", "sha256:... 7.1 MB"
	Cause                 string                `json:"cause,omitempty"`   // why it failed, or what it waits for
	Hint                  string                `json:"hint,omitempty"`    // what to do
	InfrastructureFailure bool                  `json:"ofPlace,omitempty"` // the target was unreachable, or denied access: no verdict on the release
	Output                json.RawMessage       `json:"output,omitempty"`  // one of the output types of this package
	GateResults           []delivery.GateResult `json:"answers,omitempty"` // the gates that were evaluated
	Cached                bool                  `json:"cached,omitempty"`
	Cost                  *delivery.JobCost     `json:"cost,omitempty"` // of the job that it began; nil: none that costs anything
	Started               time.Time             `json:"started,omitzero"`
	Ended                 time.Time             `json:"ended,omitzero"`
	Files                 []File                `json:"files,omitempty"` // what Output names and other machines can fetch; filled in by the engine
	Unknown               delivery.Unknown      `json:"-"`
}

// MarshalJSON writes the unknown fields, too.
func (r Result) MarshalJSON() ([]byte, error) {
	type plain Result
	return delivery.MarshalDocument(plain(r), r.Unknown)
}

// UnmarshalJSON keeps the unknown fields.
func (r *Result) UnmarshalJSON(raw []byte) (err error) {
	type plain Result
	r.Unknown, err = delivery.UnmarshalDocument(raw, (*plain)(r))
	return err
}

// Succeed returns a successful result with its output.
func Succeed(summary string, output any) (Result, error) {
	raw, err := json.Marshal(output)
	if err != nil {
		return Result{}, fmt.Errorf("encode the step's output: %w", err)
	}
	return Result{Outcome: delivery.OutcomeSucceeded, Summary: summary, Output: raw}, nil
}

// Fail returns the result of a step that failed.
func Fail(format string, args ...any) Result {
	return Result{Outcome: delivery.OutcomeFailed, Cause: fmt.Sprintf(format, args...)}
}

// FailWith returns the result of a step that failed because of err.
func FailWith(err error) Result {
	return Result{Outcome: delivery.OutcomeFailed, Cause: err.Error(), Hint: fault.HintOf(err), InfrastructureFailure: fault.IsInfrastructure(err)}
}

// OutputOf decodes the output of the step of that kind. Steps are named after
// their kind: "build", or "build.api" if there are several; the first name in
// order is read.
func OutputOf[T any](given map[string]json.RawMessage, kind Kind) (out T, ok bool, err error) {
	for _, name := range NamesOf(given, kind) {
		if out, ok, err = DecodeOutput[T](given, name); ok || err != nil {
			return out, ok, err
		}
	}
	return out, false, nil
}

// NamesOf returns the names of the steps of that kind, sorted.
func NamesOf(given map[string]json.RawMessage, kind Kind) []string {
	var names []string
	for name := range given {
		if name == string(kind) || strings.HasPrefix(name, string(kind)+".") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// DecodeOutput decodes the output of the named step; ok is false if it has none.
func DecodeOutput[T any](given map[string]json.RawMessage, name string) (out T, ok bool, err error) {
	raw, ok := given[name]
	if !ok || len(raw) == 0 {
		return out, false, nil
	}
	if err := json.Unmarshal(raw, &out); err != nil {
		return out, false, fmt.Errorf("read the output of step %s: %w", name, err)
	}
	return out, true, nil
}
