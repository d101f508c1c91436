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

// Result is what a step answers.
type Result struct {
	Outcome               delivery.Outcome      `json:"outcome"`           // Succeeded, OutcomeFailed, Waiting, OutcomeCancelled, OutcomeSkipped
	Summary               string                `json:"summary,omitempty"` // one line: "212 passed", "sha256:... 7.1 MB"
	Cause                 string                `json:"cause,omitempty"`   // why it did not succeed
	Hint                  string                `json:"hint,omitempty"`    // what to do
	InfrastructureFailure bool                  `json:"ofPlace,omitempty"` // the place did not answer, or did not let us in: no verdict on the release
	Output                json.RawMessage       `json:"output,omitempty"`  // one of the output types of this package
	GateResults           []delivery.GateResult `json:"answers,omitempty"` // gates asked
	Cached                bool                  `json:"cached,omitempty"`
	Started               time.Time             `json:"started,omitzero"`
	Ended                 time.Time             `json:"ended,omitzero"`
}

// Succeed is a successful result with its output.
func Succeed(summary string, output any) (Result, error) {
	raw, err := json.Marshal(output)
	if err != nil {
		return Result{}, fmt.Errorf("encode the step's output: %w", err)
	}
	return Result{Outcome: delivery.OutcomeSucceeded, Summary: summary, Output: raw}, nil
}

// Fail is the result of a step that said no: cause tells what and why.
func Fail(format string, args ...any) Result {
	return Result{Outcome: delivery.OutcomeFailed, Cause: fmt.Sprintf(format, args...)}
}

// FailWith is the result of a step that said no because of err.
func FailWith(err error) Result {
	return Result{Outcome: delivery.OutcomeFailed, Cause: err.Error(), Hint: fault.HintOf(err), InfrastructureFailure: fault.IsInfrastructure(err)}
}

// OutputOf reads the output of the step of that kind among given. Steps are named
// after their kind: "build", or "build.api" when there are several; the first
// name in order is read.
func OutputOf[T any](given map[string]json.RawMessage, kind Kind) (out T, ok bool, err error) {
	for _, name := range NamesOf(given, kind) {
		if out, ok, err = DecodeOutput[T](given, name); ok || err != nil {
			return out, ok, err
		}
	}
	return out, false, nil
}

// NamesOf lists the steps of that kind among given, sorted.
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

// DecodeOutput reads the output of the named step, if it is among given.
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
