package plan

import (
	"cmp"
	"path"

	"github.com/slipway-cd/slipway/internal/config"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/step"
)

// train plans training, evaluation and registration.
func (pl *planner) train(tests []string) error {
	model := pl.project.Model
	in, err := pl.commandInputs("model.train", model.Train.Inputs, true, model.Train.Python, model.Train.Dir)
	if err != nil {
		return err
	}
	datasets, err := pl.datasetParams()
	if err != nil {
		return err
	}
	data, key := pl.data()
	pl.plan.Datasets = pl.facts.Datasets
	pl.addCached(pl.priced(model.Train.On, step.Spec{
		Name: trainStep, Kind: step.Train, Needs: tests, SkipCache: pl.trigger.Retrain, Timeout: cmp.Or(model.Train.Timeout, trainTimeout),
		Unkeyed: unkeyed(model.Train.On),
	}), in, step.TrainParams{
		Run: model.Train.Run, Dir: model.Train.Dir, Env: model.Train.Env, Data: data, DataDigest: key, Python: model.Train.Python.Params(),
		Box: pl.boxOf(model.Train.On), On: runnerParams(model.Train.On), DatasetParams: datasets,
	})

	if err := pl.evaluate(data, key, datasets); err != nil {
		return err
	}
	pl.add(step.Spec{
		Name: registerStep, Kind: step.Register, Needs: []string{trainStep, evaluateStep}, Timeout: registerTimeout, Retries: pushRetries,
		Reason: "registers the model in " + model.Group + " if it is new",
	}, step.RegisterParams{Group: model.Group, SBOM: pl.project.Sign != nil})
	return nil
}

// datasetParams are empty without data in a store.
func (pl *planner) datasetParams() (step.DatasetParams, error) {
	if len(pl.facts.Datasets) == 0 {
		return step.DatasetParams{}, nil
	}
	at, err := pl.project.DataLocation()
	return step.DatasetParams{DataAt: at, Datasets: pl.facts.Datasets}, err
}

// runnerParams are nil for this machine, whose plans had none before there were others.
func runnerParams(on *config.Runner) *step.RunnerParams {
	if on == nil || !on.Remote {
		return nil
	}
	return &on.Params
}

// unkeyed are the parameters of training by which no other model comes out: prices.
func unkeyed(on *config.Runner) []string {
	if on == nil || on.Priced == "" {
		return nil
	}
	return []string{"on.section." + on.Priced}
}

// evaluate plans the evaluation. The metrics of training depend on nothing but the
// model.
func (pl *planner) evaluate(data []string, key delivery.Digest, datasets step.DatasetParams) error {
	e := pl.project.Model.Evaluate
	spec := step.Spec{Name: evaluateStep, Kind: step.Evaluate, Needs: []string{trainStep}, Timeout: cmp.Or(e.Timeout, evaluateTimeout), Unkeyed: unkeyed(e.On)}
	doubts := EvaluationDoubts(*e, pl.facts.Scripts)
	pl.plan.Warnings = append(pl.plan.Warnings, doubts.Warnings()...)
	if e.From == config.FromTraining {
		none := input{delivery.DigestOf(nil), func(string) bool { return false }}
		pl.addCached(spec, none, step.EvaluateParams{
			File: path.Clean(cmp.Or(e.Metrics, metricsFile)), Gates: e.Gates, RowsMetric: e.Rows, Note: doubts.Note,
		}, trainStep)
		return nil
	}
	in, err := pl.commandInputs("model.evaluate", e.Inputs, true, e.Python, e.Dir)
	if err != nil {
		return err
	}
	pl.addCached(pl.priced(e.On, spec), in, step.EvaluateParams{
		On: runnerParams(e.On), Run: e.Run, Dir: e.Dir, Env: e.Env, Data: data, DataDigest: key, DatasetParams: datasets, Gates: e.Gates, RowsMetric: e.Rows, Python: e.Python.Params(), Note: doubts.Note, Box: pl.boxOf(e.On),
	}, trainStep)
	return nil
}

// metricsFile is what training calls its metrics, unless the file names another.
const metricsFile = "metrics.json"
