// Package train runs the training command as a job and stores the model under the
// digest of its files.
package train

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/step"
	"github.com/slipway-cd/slipway/internal/step/digest"
	"github.com/slipway-cd/slipway/internal/step/job"
	"github.com/slipway-cd/slipway/internal/step/venv"
)

// Step trains.
type Step struct {
	Jobs     port.Jobs // of this machine
	JobsOn   func(step.RunnerParams) (port.Jobs, error)
	Commands port.Commands // make the Python environment
	Hasher   digest.Hasher
	Datasets step.Datasets   // nil: no data is in a store of objects
	Environ  job.EnvironFunc // nil: the process's
	Clock    step.Clock

	Costs     port.CostLedger    // what other jobs cost
	Approvals port.ApprovalStore // of training above the budget
}

var _ step.CacheValidator = Step{}

// Run trains the model. Its output is step.TrainOutput. The data must not change
// between the plan and the end of the training: a model of unknown data is not
// accepted.
func (s Step) Run(ctx context.Context, r step.Request) (step.Result, error) {
	w, err := step.ParamsOf[step.TrainParams](r.Spec)
	if err != nil {
		return step.Result{}, err
	}
	r.Progress("reading the data")
	data, err := digest.Source{Hasher: s.Hasher, Datasets: s.Datasets}.BeforeRun(ctx, r, w.Data, w.DatasetParams, w.DataDigest)
	if err != nil {
		return step.Result{}, err
	}
	w.Data = data.Paths
	checkout, err := r.Checkout(ctx)
	if err != nil {
		return step.Result{}, err
	}
	jobs, err := job.RunnerOn(w.On, s.Jobs, s.JobsOn)
	if err != nil {
		return step.Result{}, err
	}
	j, err := s.job(jobs, r, w, checkout, data.Digest)
	if err != nil {
		return step.Result{}, err
	}
	if w.Box, err = job.BoxHere(ctx, s.Commands, r, w.Box); err != nil {
		return step.Result{}, err
	}
	if j.Command.Box, err = job.InBox(ctx, r, w.Box, checkout, w.Data...); err != nil {
		return step.Result{}, err
	}
	python, err := venv.Manager{Commands: s.Commands, Clock: s.Clock}.Ensure(ctx, r, venv.Spec{Python: w.Python, Checkout: checkout, Environ: j.Command.Env, Box: j.Command.Box})
	if err != nil && venv.IsFinal(ctx, err) {
		return step.FailWith(fmt.Errorf("train: %w", err)), nil
	}
	if err != nil {
		return step.Result{}, fmt.Errorf("train: %w", err)
	}
	j.Command.Env, j.Command.Box = python.Environ(j.Command.Env), python.InBox(j.Command.Box)
	budget := job.Budget{Jobs: jobs, Ledger: s.Costs, Approvals: s.Approvals, Clock: s.Clock}
	if res, held, err := budget.Check(ctx, r, j); held || err != nil {
		return res, err
	}
	r.Progress("training as job %s", j.Name)
	last := &job.TailWriter{To: r.Log}
	done, err := job.Runner{Jobs: jobs}.Run(ctx, j, last)
	res, err := s.conclude(ctx, r, w, j, done, last.LastLine(), data, err)
	res.Cost = job.Cost(r, j, done)
	return res, err
}

// conclude is the result of the job, and keeps its model.
func (s Step) conclude(ctx context.Context, r step.Request, w step.TrainParams, j port.Job, done job.Result, last string, data digest.Data, err error) (step.Result, error) {
	if err != nil {
		return step.Result{}, fmt.Errorf("train: %w", err)
	}
	if res, failed := job.CommandFailed(done.Exit, w.Run, last); failed {
		return res, nil
	}
	if err := data.AfterRun(ctx); err != nil {
		if ctx.Err() != nil {
			return step.Result{}, err
		}
		return step.FailWith(fmt.Errorf("train: %w", err)), nil
	}
	return s.store(ctx, r, w, j, done, data)
}

// The names of the job's inputs and outputs.
const (
	dataInput     = "data"
	checkoutInput = "checkout"
	modelOutput   = "model"
)

func (s Step) job(jobs port.Jobs, r step.Request, w step.TrainParams, checkout string, data delivery.Digest) (port.Job, error) {
	j := port.Job{
		Name:    job.Name(r),
		Inputs:  map[string]port.Artifact{dataInput: port.FileArtifact(data, w.Data...)},
		Outputs: map[string]string{modelOutput: port.FileURI(job.OutputDir(r))},
	}
	if w.On != nil && w.On.Remote {
		j.Inputs[checkoutInput] = port.FileArtifact("", checkout)
	}
	mounts, err := jobs.Mounts(j)
	if err != nil {
		return j, err
	}
	inputs, output := job.QuoteAll(mounts[dataInput]), mounts[modelOutput][0]
	run, err := job.Render(w.Run, job.Vars{"Data": inputs, "Output": job.Quote(output)})
	if err != nil {
		return j, err
	}
	env, err := job.BuildEnv(s.Environ, w.Env, map[string]string{
		"SLIPWAY_DATA": inputs, "SLIPWAY_OUTPUT": output,
		"SLIPWAY_RUN": string(r.Run), "SLIPWAY_COMMIT": r.Commit.SHA,
	})
	if err != nil {
		return j, err
	}
	if w.On != nil && w.On.Remote {
		env = job.WithoutInherited(env, w.Env)
	}
	dir, err := job.Dir(checkout, w.Dir)
	j.Command = port.Command{Run: run, Dir: dir, Env: env, Timeout: r.Spec.Timeout.D()}
	return j, err
}

// store keeps the model where it outlives the run.
func (s Step) store(ctx context.Context, r step.Request, w step.TrainParams, j port.Job, done job.Result, data digest.Data) (step.Result, error) {
	r.Progress("storing the model")
	paths, err := done.Paths(modelOutput)
	if err != nil {
		return step.Result{}, fmt.Errorf("train: %w", err)
	}
	dir, files, err := digest.Store(ctx, paths, filepath.Join(r.ArtifactsDir, "models"))
	switch {
	case err != nil && ctx.Err() == nil && fault.Is(err, fault.Failed):
		res := step.Fail("train: the command succeeded, but wrote no files")
		res.Hint = "make it write the model's files to {{.Output}}"
		return res, nil
	case err != nil && ctx.Err() == nil && fault.Is(err, fault.Invalid):
		return step.FailWith(fmt.Errorf("train: store the model: %w", err)), nil
	case err != nil:
		return step.Result{}, fmt.Errorf("train: store the model: %w", err)
	}
	return step.Succeed("model "+files.Short(), step.TrainOutput{
		Dir: dir, Files: files, Data: data.Digest, Datasets: data.Datasets, Job: j.Name, Commit: r.Commit.SHA,
		Command: w.Run, Inputs: r.Spec.Inputs, Box: w.Box, Image: done.Image,
	})
}

// Revalidate accepts a cached model if its files are unchanged.
func (s Step) Revalidate(ctx context.Context, _ step.Request, cached step.Result) (step.Result, bool, error) {
	var t step.TrainOutput
	if err := json.Unmarshal(cached.Output, &t); err != nil || t.Dir == "" {
		return cached, false, nil //nolint:nilerr // an output that can't be read is made again
	}
	if _, err := os.Stat(t.Dir); err != nil {
		return cached, false, nil //nolint:nilerr // gone: it is made again
	}
	files, err := digest.Dir(ctx, t.Dir)
	if ctx.Err() != nil {
		return cached, false, context.Cause(ctx)
	}
	return cached, err == nil && files == t.Files, nil
}
