package step

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/event"
)

// Request is what a step is asked.
type Request struct {
	Run                   delivery.RunID
	Service               string
	Environment           delivery.Environment
	Commit                delivery.Commit
	StartedBy             string // who started the run
	Spec                  Spec
	Attempt               int                        // 1, 2...
	Inputs                map[string]json.RawMessage // outputs of all steps before it, by step name
	Cause                 string                     // for undo steps: why it is taken back
	Cancelled             bool                       // for undo steps: somebody stopped the run; nothing failed
	InfrastructureFailure bool                       // for undo steps: the place failed, not what was brought there
	WorkDir               string                     // absolute folder of this step in this run; kept
	ArtifactsDir          string                     // absolute folder that outlives the run, for cached results
	RepositoryDir         string                     // absolute folder where slipway.yaml is
	Log                   io.Writer                  // the step's log: lines, masked
	OnProgress            func(progress string)      // one short line that replaces the last
	Emit                  func(event.Event)          // for gate answers and deployments; run and step are filled in

	// Checkout gives the absolute folder that holds exactly the commit's tree.
	Checkout func(ctx context.Context) (string, error)
}

// Progress reports one short line, which replaces the one before.
func (r Request) Progress(format string, args ...any) {
	r.Report(fmt.Sprintf(format, args...))
}

// Report is Progress without a format, for ports that report their progress.
func (r Request) Report(text string) {
	if r.OnProgress != nil {
		r.OnProgress(text)
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
