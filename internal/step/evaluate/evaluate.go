// Package evaluate measures a model with the user's command and evaluates the
// gates over the metrics, compared with those of the deployed model.
package evaluate

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/slipway-cd/slipway/internal/atomicfile"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/step"
	"github.com/slipway-cd/slipway/internal/step/digest"
	"github.com/slipway-cd/slipway/internal/step/job"
)

// metricsFile is where the command writes.
const metricsFile = "metrics.json"

// Step evaluates.
type Step struct {
	Jobs        port.Jobs // of this machine
	JobsOn      func(step.RunnerParams) (port.Jobs, error)
	Commands    port.Commands // make the Python environment
	Deployments port.DeploymentStore
	Releases    port.ReleaseStore
	Models      port.ModelRegistry
	Hasher      digest.Hasher
	Datasets    step.Datasets   // nil: no data is in a store of objects
	Environ     job.EnvironFunc // nil: the process's
	Clock       step.Clock

	Costs     port.CostLedger    // what other jobs cost
	Approvals port.ApprovalStore // of an evaluation above the budget
}

var _ step.CacheValidator = Step{}

// Run evaluates the model that the train step made. Its output is
// step.EvaluateOutput.
func (s Step) Run(ctx context.Context, r step.Request) (step.Result, error) {
	var cost *delivery.JobCost
	res, err := s.evaluate(ctx, r, func(c *delivery.JobCost) { cost = c })
	res.Cost = cost
	return res, err
}

// evaluate calls paid with what the job cost, if there is one.
func (s Step) evaluate(ctx context.Context, r step.Request, paid func(*delivery.JobCost)) (step.Result, error) {
	w, err := step.ParamsOf[step.EvaluateParams](r.Spec)
	if err != nil {
		return step.Result{}, err
	}
	gates, err := compileGates(w.Gates)
	if err != nil {
		return step.Result{}, err
	}
	model, err := s.trainedModel(ctx, r)
	if err != nil {
		return step.Result{}, err
	}
	if w.Box, err = job.BoxHere(ctx, s.Commands, r, w.Box); err != nil {
		return step.Result{}, err
	}
	path, failed, err := s.evaluation(ctx, r, w, model, paid)
	if err != nil || failed != nil {
		return resultOrZero(failed), err
	}
	metrics, err := readMetrics(path)
	if err != nil && w.File != "" {
		err = trainingMetrics(w.File, err)
	}
	if err != nil {
		return unavailableResult(r, "metrics", err), nil
	}
	if trouble := checkRows(metrics, w.RowsMetric); trouble != "" {
		return unavailableResult(r, "rows", fault.New(fault.Unavailable, "%s", trouble)), nil
	}
	out := step.EvaluateOutput{Metrics: metrics, Box: w.Box}
	if out.Dir, err = s.store(ctx, r, model.Dir, path); err != nil {
		return step.Result{}, fmt.Errorf("evaluate: store the model with its metrics: %w", err)
	}
	return s.evaluateGates(ctx, r, gates, w.Note, out)
}

func resultOrZero(failed *step.Result) step.Result {
	if failed == nil {
		return step.Result{}
	}
	return *failed
}

// trainedModel returns the model that was trained, if it is unchanged.
func (s Step) trainedModel(ctx context.Context, r step.Request) (step.TrainOutput, error) {
	t, ok, err := step.OutputOf[step.TrainOutput](r.Inputs, step.Train)
	if err != nil {
		return t, err
	}
	if !ok {
		return t, fault.New(fault.Internal, "evaluate: the plan has no train step before it")
	}
	files, err := digest.Dir(ctx, t.Dir)
	if err != nil {
		return t, fmt.Errorf("evaluate: read the model: %w", err)
	}
	if files != t.Files {
		return t, fault.New(fault.Corrupt, "evaluate: the model in %s differs from the one that was trained", t.Dir).
			Hint("run again with --retrain")
	}
	return t, nil
}

// evaluation returns the path of the metrics: the file that training wrote, or what
// the command writes.
func (s Step) evaluation(ctx context.Context, r step.Request, w step.EvaluateParams, model step.TrainOutput, paid func(*delivery.JobCost)) (metrics string, failed *step.Result, err error) {
	if w.File == "" {
		return s.runEvaluation(ctx, r, w, model, paid)
	}
	if !filepath.IsLocal(filepath.FromSlash(w.File)) {
		return "", nil, fault.New(fault.Invalid, "evaluate: %q is outside the model's folder", w.File)
	}
	return filepath.Join(model.Dir, filepath.FromSlash(w.File)), nil, nil
}

// trainingMetrics names the file that training should have written.
func trainingMetrics(file string, err error) error {
	return fault.New(fault.Unavailable, "read %s of training", file).Cause(err).
		Hint("make training write a JSON object of numbers to {{.Output}}/%s, or name its file in model.evaluate.metrics", file)
}

// store stores the model's files with the metrics beside them, under a name that none
// of the model's files has.
func (s Step) store(ctx context.Context, r step.Request, model, metrics string) (string, error) {
	raw, err := os.ReadFile(metrics)
	if err != nil {
		return "", err
	}
	name, err := digest.MetricsName(model, raw)
	if err != nil {
		return "", err
	}
	from := []string{model}
	if name != "" {
		own := filepath.Join(r.WorkDir, "metrics-"+strconv.Itoa(r.Attempt))
		if err := os.MkdirAll(own, 0o755); err != nil {
			return "", err
		}
		named := filepath.Join(own, name)
		if err := atomicfile.Write(named, raw, 0o644); err != nil {
			return "", err
		}
		from = append(from, named)
	}
	dir, _, err := digest.Store(ctx, from, filepath.Join(r.ArtifactsDir, "models"))
	return dir, err
}

// Revalidate accepts cached metrics if the model still exists, and evaluates the
// gates again: the champion may have changed.
func (s Step) Revalidate(ctx context.Context, r step.Request, cached step.Result) (step.Result, bool, error) {
	w, err := step.ParamsOf[step.EvaluateParams](r.Spec)
	if err != nil {
		return cached, false, err
	}
	gates, err := compileGates(w.Gates)
	if err != nil {
		return cached, false, err
	}
	var out step.EvaluateOutput
	if err := json.Unmarshal(cached.Output, &out); err != nil || out.Dir == "" {
		return cached, false, nil //nolint:nilerr // an output that can't be read is made again
	}
	files, err := digest.Dir(ctx, out.Dir)
	if ctx.Err() != nil {
		return cached, false, context.Cause(ctx)
	}
	if err != nil || files.Hex() != filepath.Base(out.Dir) {
		return cached, false, nil //nolint:nilerr // gone or damaged: it is made again
	}
	fresh, err := s.evaluateGates(ctx, r, gates, w.Note, out)
	if err != nil {
		return cached, false, err
	}
	fresh.Cached, fresh.Started, fresh.Ended, fresh.Unknown = true, cached.Started, cached.Ended, cached.Unknown
	return fresh, true, nil
}
