package step

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/event"
)

// Request is one call of a step.
type Request struct {
	Run                   delivery.RunID
	Service               string
	Environment           delivery.Environment
	Commit                delivery.Commit
	PlanDigest            delivery.Digest // of the plan that the step belongs to
	StartedBy             delivery.Actor  // who started the run
	Spec                  Spec
	Attempt               int                        // 1, 2...
	Inputs                map[string]json.RawMessage // outputs of all steps before it, by step name
	Cause                 string                     // for undo steps: why it is undone
	Cancelled             bool                       // for undo steps: the run was cancelled; nothing failed
	InfrastructureFailure bool                       // for undo steps: the infrastructure failed, not the release
	WorkDir               string                     // absolute path of this step's folder in this run; kept
	ArtifactsDir          string                     // absolute path of the folder for cached results, which outlives the run
	CacheDir              string                     // absolute path of the folder for what can be made again; shared by the project's clones
	RepositoryDir         string                     // absolute path of the folder with slipway.yaml
	Log                   io.Writer                  // the step's log: lines, redacted
	OnProgress            func(progress string)      // one short line that replaces the last
	Emit                  func(event.Event)          // for gate results and deployments; run and step are filled in

	// Checkout returns the absolute path of a folder with exactly the commit's
	// tree, or of the service's folder in it.
	Checkout func(ctx context.Context) (string, error)

	// CheckoutRoot returns the folder around that one which holds the commit's files
	// beside the service, too; empty if there are none. Nil: there are none.
	CheckoutRoot func(ctx context.Context) (string, error)

	// RestoreDir brings a folder below ArtifactsDir here that another machine kept with
	// KeepDir under the same path, if there is none here. What can't be brought or kept
	// is made again. Nil: no other machine.
	RestoreDir, KeepDir func(ctx context.Context, path string)

	// Overtaken describes the run that overtook this one while it waited, if the
	// environment's current deployment is a later run's; empty if it is not. Nil:
	// the run was not overtaken.
	Overtaken func(ctx context.Context, current delivery.Deployment) (string, error)
}

// WithSharedDir calls do with a folder below ArtifactsDir as another machine left it, and
// keeps it for others if do succeeds.
func (r Request) WithSharedDir(ctx context.Context, path string, do func() error) error {
	if r.RestoreDir != nil {
		r.RestoreDir(ctx, path)
	}
	err := do()
	if err == nil && r.KeepDir != nil {
		r.KeepDir(ctx, path)
	}
	return err
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

// Logf writes one line to the step's log.
func (r Request) Logf(format string, args ...any) {
	if r.Log != nil {
		fmt.Fprintf(r.Log, format+"\n", args...)
	}
}

// Notice reports something that changes no outcome: in the step's log, and as an
// event.
func (r Request) Notice(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	r.Logf("note: %s", text)
	if r.Emit != nil {
		r.Emit(event.Event{Kind: event.Notice, Environment: r.Environment, Text: text})
	}
}

// ReportGates emits the results of gates.
func (r Request) ReportGates(answers ...delivery.GateResult) {
	if r.Emit == nil {
		return
	}
	for _, a := range answers {
		r.Emit(event.Event{Kind: event.GateEvaluated, Environment: r.Environment, GateResult: &a})
	}
}

// EmitDeployment emits a change in the state of a deployment.
func (r Request) EmitDeployment(release delivery.ReleaseID, format string, args ...any) {
	if r.Emit == nil {
		return
	}
	text := fmt.Sprintf(format, args...)
	r.Emit(event.Event{Kind: event.DeploymentChanged, Environment: r.Environment, Release: release, Text: text})
}
