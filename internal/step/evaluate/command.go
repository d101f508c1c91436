package evaluate

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/step"
	"github.com/slipway-cd/slipway/internal/step/digest"
	"github.com/slipway-cd/slipway/internal/step/job"
	"github.com/slipway-cd/slipway/internal/step/venv"
)

// runEvaluation runs the command and returns the path of the metrics that it wrote. A
// Result is a failure of the command's own, or the job waits for a person.
func (s Step) runEvaluation(ctx context.Context, r step.Request, w step.EvaluateParams, model step.TrainOutput, paid func(*delivery.JobCost)) (metrics string, failed *step.Result, err error) {
	data, err := digest.Source{Hasher: s.Hasher, Datasets: s.Datasets}.BeforeRun(ctx, r, w.Data, w.DatasetParams, w.DataDigest)
	if err != nil {
		return "", nil, err
	}
	w.Data = data.Paths
	checkout, err := r.Checkout(ctx)
	if err != nil {
		return "", nil, err
	}
	jobs, err := job.RunnerOn(w.On, s.Jobs, s.JobsOn)
	if err != nil {
		return "", nil, err
	}
	j, err := s.job(jobs, r, w, checkout, model, data.Digest)
	if err != nil {
		return "", nil, err
	}
	if failed, err = s.prepare(ctx, r, w, checkout, model, &j); failed != nil || err != nil {
		return "", failed, err
	}
	budget := job.Budget{Jobs: jobs, Ledger: s.Costs, Approvals: s.Approvals, Clock: s.Clock}
	if res, held, err := budget.Check(ctx, r, j); held || err != nil {
		return "", &res, err
	}
	r.Progress("evaluating as job %s", j.Name)
	last := &job.TailWriter{To: r.Log}
	done, err := job.Runner{Jobs: jobs}.Run(ctx, j, last)
	paid(job.Cost(r, j, done))
	if err != nil {
		return "", nil, fmt.Errorf("evaluate: %w", err)
	}
	if res, failed := job.CommandFailed(done.Exit, w.Run, last.LastLine()); failed {
		return "", &res, nil
	}
	if err := data.AfterRun(ctx); err != nil {
		if ctx.Err() != nil {
			return "", nil, err
		}
		res := step.FailWith(fmt.Errorf("evaluate: %w", err))
		return "", &res, nil
	}
	paths, err := done.Paths(metricsOutput)
	if err != nil {
		return "", nil, fmt.Errorf("evaluate: %w", err)
	}
	return filepath.Join(paths[0], metricsFile), nil, nil
}

// prepare gives the command its box and its Python environment.
func (s Step) prepare(ctx context.Context, r step.Request, w step.EvaluateParams, checkout string, model step.TrainOutput, j *port.Job) (failed *step.Result, err error) {
	if j.Command.Box, err = job.InBox(ctx, r, w.Box, checkout, append(slices.Clone(w.Data), model.Dir)...); err != nil {
		return nil, err
	}
	python, err := venv.Manager{Commands: s.Commands, Clock: s.Clock}.Ensure(ctx, r, venv.Spec{Python: w.Python, Checkout: checkout, Environ: j.Command.Env, Box: j.Command.Box})
	if err != nil && venv.IsFinal(ctx, err) {
		res := step.FailWith(fmt.Errorf("evaluate: %w", err))
		return &res, nil
	}
	if err != nil {
		return nil, fmt.Errorf("evaluate: %w", err)
	}
	j.Command.Env, j.Command.Box = python.Environ(j.Command.Env), python.InBox(j.Command.Box)
	return nil, nil //nolint:nilnil // it did not fail
}

// The names of the job's inputs and outputs.
const (
	dataInput     = "data"
	modelInput    = "model"
	checkoutInput = "checkout"
	metricsOutput = "metrics"
)

func (s Step) job(jobs port.Jobs, r step.Request, w step.EvaluateParams, checkout string, model step.TrainOutput, data delivery.Digest) (port.Job, error) {
	remote := w.On != nil && w.On.Remote
	j := port.Job{
		Name: job.Name(r),
		Inputs: map[string]port.Artifact{
			dataInput: port.FileArtifact(data, w.Data...), modelInput: port.FileArtifact(model.Files, model.Dir),
		},
		Outputs: map[string]string{metricsOutput: port.FileURI(job.OutputDir(r))},
	}
	if remote {
		j.Inputs[checkoutInput] = port.FileArtifact("", checkout)
	}
	mounts, err := jobs.Mounts(j)
	if err != nil {
		return j, err
	}
	inputs, dir, metrics := job.QuoteAll(mounts[dataInput]), mounts[modelInput][0], filepath.Join(mounts[metricsOutput][0], metricsFile)
	run, err := job.Render(w.Run, job.Vars{"Data": inputs, "Model": job.Quote(dir), "Metrics": job.Quote(metrics)})
	if err != nil {
		return j, err
	}
	env, err := job.BuildEnv(s.Environ, w.Env, map[string]string{
		"SLIPWAY_DATA": inputs, "SLIPWAY_MODEL": dir, "SLIPWAY_METRICS": metrics,
		"SLIPWAY_RUN": string(r.Run), "SLIPWAY_COMMIT": r.Commit.SHA,
	})
	if err != nil {
		return j, err
	}
	if remote {
		env = job.WithoutInherited(env, w.Env)
	}
	workDir, err := job.Dir(checkout, w.Dir)
	j.Command = port.Command{Run: run, Dir: workDir, Env: env, Timeout: r.Spec.Timeout.D()}
	return j, err
}
