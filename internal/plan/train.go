package plan

import (
	"cmp"

	"github.com/slipway-cd/slipway/internal/step"
)

// train plans training, evaluation and registration.
func (pl *planner) train(tests []string) error {
	model := pl.project.Model
	in, err := pl.inputs("model.train.inputs", model.Train.Inputs, true)
	if err == nil {
		in, err = pl.addPythonInputs("model.train.python", model.Train.Python, in)
	}
	if err != nil {
		return err
	}
	data, key := pl.data()
	pl.addCached(step.Spec{
		Name: trainStep, Kind: step.Train, Needs: tests, SkipCache: pl.trigger.Retrain, Timeout: cmp.Or(model.Train.Timeout, trainTimeout),
	}, in, step.TrainParams{Run: model.Train.Run, Env: model.Train.Env, Data: data, DataDigest: key, Python: model.Train.Python.Params()})

	in, err = pl.inputs("model.evaluate.inputs", model.Evaluate.Inputs, true)
	if err == nil {
		in, err = pl.addPythonInputs("model.evaluate.python", model.Evaluate.Python, in)
	}
	if err != nil {
		return err
	}
	e := model.Evaluate
	pl.addCached(step.Spec{
		Name: evaluateStep, Kind: step.Evaluate, Needs: []string{trainStep}, Timeout: cmp.Or(e.Timeout, evaluateTimeout),
	}, in, step.EvaluateParams{Run: e.Run, Env: e.Env, Data: data, DataDigest: key, Gates: e.Gates, RowsMetric: e.Rows, Python: e.Python.Params()}, trainStep)

	pl.add(step.Spec{
		Name: registerStep, Kind: step.Register, Needs: []string{trainStep, evaluateStep}, Timeout: registerTimeout, Retries: pushRetries,
		Reason: "registers the model in " + model.Group + " if it is new",
	}, step.RegisterParams{Group: model.Group, SBOM: pl.project.Sign != nil})
	return nil
}
