// Package evaluate measures a model by the user's command and asks the gates
// about the numbers, beside those of the model that serves now.
package evaluate

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/step"
	"github.com/slipway-cd/slipway/internal/step/digest"
	"github.com/slipway-cd/slipway/internal/step/job"
	"github.com/slipway-cd/slipway/internal/step/venv"
)

// metricsFile is where the command writes, and the name that is kept.
const metricsFile = "metrics.json"

// Step evaluates.
type Step struct {
	Jobs        port.Jobs
	Commands    port.Commands // make the Python environment
	Deployments port.DeploymentStore
	Releases    port.ReleaseStore
	Models      port.ModelRegistry
	Hasher      digest.Hasher
	Environ     job.EnvironFunc // nil: the process's
	Clock       step.Clock
}

var _ step.CacheValidator = Step{}

// Run evaluates the model that the training step left. Its output is
// step.EvaluateOutput.
func (s Step) Run(ctx context.Context, r step.Request) (step.Result, error) {
	w, err := step.ParamsOf[step.EvaluateParams](r)
	if err != nil {
		return step.Result{}, err
	}
	gates, err := compile(w.Gates)
	if err != nil {
		return step.Result{}, err
	}
	model, err := s.model(ctx, r)
	if err != nil {
		return step.Result{}, err
	}
	j, failed, err := s.measure(ctx, r, w, model)
	if err != nil || failed != nil {
		return orFailed(failed), err
	}
	metrics, err := readMetrics(filepath.Join(j.Output, metricsFile))
	if err != nil {
		return unavailable(r, "metrics", err), nil
	}
	if trouble := rows(metrics, w.RowsMetric); trouble != "" {
		return unavailable(r, "rows", fault.New(fault.Unavailable, "%s", trouble)), nil
	}
	out := step.EvaluateOutput{Metrics: metrics}
	from := []string{model.Dir, filepath.Join(j.Output, metricsFile)}
	if out.Dir, _, err = digest.Store(ctx, from, filepath.Join(r.ArtifactsDir, "models")); err != nil {
		return step.Result{}, fmt.Errorf("evaluate: keep the model with its metrics: %w", err)
	}
	return s.judge(ctx, r, gates, out)
}

func orFailed(failed *step.Result) step.Result {
	if failed == nil {
		return step.Result{}
	}
	return *failed
}

// model is what was trained, and still is what it was.
func (s Step) model(ctx context.Context, r step.Request) (step.TrainOutput, error) {
	t, ok, err := step.OutputOf[step.TrainOutput](r.Inputs, step.Train)
	if err != nil {
		return t, err
	}
	if !ok {
		return t, fault.New(fault.Internal, "evaluate: no training step ran before it")
	}
	files, err := digest.Dir(ctx, t.Dir)
	if err != nil {
		return t, fmt.Errorf("evaluate: read the model: %w", err)
	}
	if files != t.Files {
		return t, fault.New(fault.Corrupt, "evaluate: the model in %s is not the one that was trained", t.Dir).
			Hint("run again with --retrain")
	}
	return t, nil
}

// measure runs the command. A Result is a failure of the command's own.
func (s Step) measure(ctx context.Context, r step.Request, w step.EvaluateParams, model step.TrainOutput) (port.Job, *step.Result, error) {
	before, err := digest.BeforeRun(ctx, s.Hasher, w.Data, w.DataDigest)
	if err != nil {
		return port.Job{}, nil, err
	}
	checkout, err := r.Checkout(ctx)
	if err != nil {
		return port.Job{}, nil, err
	}
	j, err := s.job(r, w, checkout, model.Dir)
	if err != nil {
		return j, nil, err
	}
	python, err := venv.Manager{Commands: s.Commands, Clock: s.Clock}.Ensure(ctx, r, venv.Spec{Python: w.Python, Checkout: checkout, Environ: j.Command.Env})
	if err != nil && venv.IsFinal(ctx, err) {
		res := step.FailWith(fmt.Errorf("evaluate: %w", err))
		return j, &res, nil
	}
	if err != nil {
		return j, nil, fmt.Errorf("evaluate: %w", err)
	}
	j.Command.Env = python.Environ(j.Command.Env)
	r.Progress("evaluating as job %s", j.Name)
	last := &job.TailWriter{To: r.Log}
	exit, err := job.Runner{Jobs: s.Jobs, Clock: s.Clock}.Run(ctx, j, last)
	if err != nil {
		return j, nil, fmt.Errorf("evaluate: %w", err)
	}
	if cause, hint := job.FailureCause(exit, w.Run); cause != "" {
		if line := last.LastLine(); line != "" {
			cause += "; its last line: " + line
		}
		res := step.Fail("evaluate: %s", cause)
		res.Hint = hint
		return j, &res, nil
	}
	if err := digest.AfterRun(ctx, s.Hasher, w.Data, before); err != nil {
		if ctx.Err() != nil {
			return j, nil, err
		}
		res := step.FailWith(fmt.Errorf("evaluate: %w", err))
		return j, &res, nil
	}
	return j, nil, nil
}

func (s Step) job(r step.Request, w step.EvaluateParams, checkout, model string) (port.Job, error) {
	out := job.OutputDir(r)
	data, metrics := job.QuoteAll(w.Data), filepath.Join(out, metricsFile)
	run, err := job.Render(w.Run, job.Vars{"Data": data, "Model": job.Quote(model), "Metrics": job.Quote(metrics)})
	if err != nil {
		return port.Job{}, err
	}
	env, err := job.BuildEnv(s.Environ, w.Env, map[string]string{
		"SLIPWAY_DATA": data, "SLIPWAY_MODEL": model, "SLIPWAY_METRICS": metrics,
		"SLIPWAY_RUN": string(r.Run), "SLIPWAY_COMMIT": r.Commit.SHA,
	})
	if err != nil {
		return port.Job{}, err
	}
	c := port.Command{Run: run, Dir: checkout, Env: env, Timeout: r.Spec.Timeout.D()}
	inputs := append([]string{model}, w.Data...)
	return port.Job{Name: job.Name(r), Command: c, Inputs: inputs, Output: out}, nil
}

// Revalidate takes cached metrics of a model that is still there, and asks the gates
// anew: the champion may be another by now.
func (s Step) Revalidate(ctx context.Context, r step.Request, cached step.Result) (step.Result, bool, error) {
	w, err := step.ParamsOf[step.EvaluateParams](r)
	if err != nil {
		return cached, false, err
	}
	gates, err := compile(w.Gates)
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
	fresh, err := s.judge(ctx, r, gates, out)
	if err != nil {
		return cached, false, err
	}
	fresh.Cached, fresh.Started, fresh.Ended = true, cached.Started, cached.Ended
	return fresh, true, nil
}
