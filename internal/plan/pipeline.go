package plan

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/slipway-cd/slipway/internal/config"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/extension"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/step"
)

// How long steps may take when the file does not say.
const (
	testTimeout     = delivery.Duration(30 * time.Minute)
	buildTimeout    = delivery.Duration(30 * time.Minute)
	scanTimeout     = delivery.Duration(30 * time.Minute)
	pushTimeout     = delivery.Duration(30 * time.Minute)
	trainTimeout    = delivery.Duration(24 * time.Hour)
	evaluateTimeout = delivery.Duration(2 * time.Hour)
	registerTimeout = delivery.Duration(10 * time.Minute)
	deployTimeout   = delivery.Duration(15 * time.Minute)
	gracePeriod     = delivery.Duration(time.Minute) // beyond what a step promises to keep itself
)

// tries after trouble on the way to a registry.
const pushRetries = 3

// deliver plans the way of a commit into the environment.
func (pl *planner) deliver() error {
	p := pl.project
	if pl.trigger.Retrain && (p.Model == nil || p.Model.Train == nil) {
		return fault.New(fault.Invalid, "--retrain: %s has no model.train section", config.FileName)
	}
	deploy, err := pl.deployParams()
	if err != nil {
		return err
	}
	if pl.plan.Skip = pl.skipReason(); pl.plan.Skip != "" {
		return nil
	}
	tests, err := pl.tests()
	if err != nil {
		return err
	}
	if err := pl.build(tests); err != nil {
		return err
	}
	ready := []string{"push"}
	registered := p.Model != nil && p.Model.Train != nil
	if registered {
		if err := pl.train(tests); err != nil {
			return err
		}
		ready = append(ready, "register")
	}
	if p.Sign != nil {
		pl.attest(ready, deploy.Model)
		ready = []string{"push", "attest"}
	}
	if registered || pl.env.Approvals > 0 {
		ask := step.ApproveParams{DeployApprovals: pl.env.Approvals}
		if registered {
			ask.Model, ask.Group, ask.Auto = true, p.Model.Group, p.Model.AutoApprove()
		}
		pl.add(step.Spec{Name: "approve", Kind: step.Approve, Needs: ready, Reason: approvalReason(ask)}, ask)
		ready = []string{"push", "approve"}
	}
	optional, err := pl.addOptional(extension.BeforeDeploy, ready)
	if err != nil {
		return err
	}
	ready = append(ready, optional...)
	pl.rollout(ready, deploy)
	return nil
}

func (pl *planner) tests() ([]string, error) {
	var names []string
	for i, t := range pl.project.Test {
		in, err := pl.inputs(fmt.Sprintf("test[%d].inputs", i), t.Inputs, false)
		if err == nil {
			in, err = pl.addPythonInputs(fmt.Sprintf("test[%d].python", i), t.Python, in)
		}
		if err != nil {
			return nil, err
		}
		name := "test." + t.Name
		names = append(names, name)
		pl.addCached(step.Spec{Name: name, Kind: step.Test, Timeout: or(t.Timeout, testTimeout)}, in, step.TestParams{
			Run: t.Run, Dir: t.Dir, Env: t.Env, Report: t.Report, AllowEmpty: t.AllowEmpty, Python: t.Python.Params(),
		})
	}
	return names, nil
}

func (pl *planner) build(tests []string) error {
	image := pl.project.Image
	in, err := pl.inputs("image.build.inputs", image.Build.Inputs, false)
	if err != nil {
		return err
	}
	pl.addCached(step.Spec{Name: "build", Kind: step.Build, Timeout: buildTimeout}, in, buildParams(image))
	needs := append([]string{"build"}, tests...)
	if pl.scan() {
		needs = append(needs, "scan")
	}
	optional, err := pl.addOptional(extension.AfterBuild, []string{"build"})
	if err != nil {
		return err
	}
	needs = append(needs, optional...)
	pl.add(step.Spec{
		Name: "push", Kind: step.Push, Needs: needs, Timeout: pushTimeout, Retries: pushRetries,
		Reason: "uploads missing layers to the registry",
	}, step.PushParams{Repository: image.Repository})
	return nil
}

func buildParams(image config.Image) step.BuildParams {
	params := image.Build.Params
	params.Repository = image.Repository
	return params
}

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
		Name: "train", Kind: step.Train, Needs: tests, SkipCache: pl.trigger.Retrain, Timeout: or(model.Train.Timeout, trainTimeout),
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
		Name: "evaluate", Kind: step.Evaluate, Needs: []string{"train"}, Timeout: or(e.Timeout, evaluateTimeout),
	}, in, step.EvaluateParams{Run: e.Run, Env: e.Env, Data: data, DataDigest: key, Gates: e.Gates, RowsMetric: e.Rows, Python: e.Python.Params()}, "train")

	pl.add(step.Spec{
		Name: "register", Kind: step.Register, Needs: []string{"train", "evaluate"}, Timeout: registerTimeout, Retries: pushRetries,
		Reason: "registers the model in " + model.Group + " if it is new",
	}, step.RegisterParams{Group: model.Group, SBOM: pl.project.Sign != nil})
	return nil
}

// rollout plans the release's way into the environment.
func (pl *planner) rollout(needs []string, with step.DeployParams) {
	why := "nothing is deployed in " + string(pl.plan.Environment)
	if pl.plan.Replaces != "" {
		why = "replaces " + string(pl.plan.Replaces)
	}
	if with.Release != "" && with.Release == pl.plan.Replaces {
		why = "already deployed"
	}
	pl.add(step.Spec{
		Name: "deploy", Kind: step.Deploy, Needs: needs, Undo: step.Rollback, Reason: why,
		Timeout: deployTimeout + with.Workload.Drain + totalBake(with),
	}, with)
	pl.verify("deploy", with.Release)
	watch := pl.watchParams()
	why = "monitors production for " + watch.Bake.String() + ", then accepts the release"
	if watch.Bake == 0 {
		why = "no bake time; accepts the release"
	}
	pl.add(step.Spec{Name: "watch", Kind: step.Watch, Needs: []string{"verify"}, Timeout: watch.Bake + gracePeriod, Reason: why}, watch)
}

// verify plans the checks of what a step has deployed: the named release, or the
// one that the step made.
func (pl *planner) verify(after string, release delivery.ReleaseID) {
	params := step.VerifyParams{RolloutParams: pl.rolloutParams(), ProbeParams: pl.probeParams(), Release: release}
	pl.add(step.Spec{
		Name: "verify", Kind: step.Verify, Needs: []string{after}, Timeout: params.Timeout + gracePeriod,
		Reason: "checks that the release responds with its own identity",
	}, params)
}

// add appends a step that always runs.
func (pl *planner) add(s step.Spec, with any) {
	raw, err := json.Marshal(with)
	if err != nil {
		raw = []byte("null") // Validate refuses the plan: it can't happen with our own types
	}
	s.Params = raw
	if s.Action == "" {
		s.Action = step.ActionRun
	}
	pl.plan.Steps = append(pl.plan.Steps, s)
}

func approvalReason(a step.ApproveParams) string {
	who := ""
	switch {
	case a.Model && a.Auto:
		who = "the gates approve the model"
	case a.Model:
		who = "the model needs manual approval"
	}
	if a.DeployApprovals > 0 {
		persons := "1 approval"
		if a.DeployApprovals > 1 {
			persons = fmt.Sprintf("%d approvals", a.DeployApprovals)
		}
		if who != "" {
			who += "; "
		}
		who += persons + " required to deploy"
	}
	return who
}

func or(d, otherwise delivery.Duration) delivery.Duration {
	if d > 0 {
		return d
	}
	return otherwise
}
