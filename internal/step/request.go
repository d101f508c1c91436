package step

import (
	"encoding/json"
	"fmt"
	"sort"
	"strings"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/event"
	"github.com/slipway-cd/slipway/internal/fault"
)

// Progress says one short line that replaces the last.
func (r Request) Progress(format string, args ...any) {
	if r.OnProgress != nil {
		r.OnProgress(fmt.Sprintf(format, args...))
	}
}

// Logf writes one line into the step's log.
func (r Request) Logf(format string, args ...any) {
	if r.Log != nil {
		fmt.Fprintf(r.Log, format+"\n", args...)
	}
}

// ReportGates emits what gates said.
func (r Request) ReportGates(answers ...delivery.GateResult) {
	if r.Emit == nil {
		return
	}
	for _, a := range answers {
		r.Emit(event.Event{Kind: event.GateEvaluated, Environment: r.Environment, GateResult: &a})
	}
}

// EmitDeployment emits that a deployment changed its state.
func (r Request) EmitDeployment(release delivery.ReleaseID, format string, args ...any) {
	if r.Emit == nil {
		return
	}
	text := fmt.Sprintf(format, args...)
	r.Emit(event.Event{Kind: event.DeploymentChanged, Environment: r.Environment, Release: release, Text: text})
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
	sort.Strings(names)
	return names
}
