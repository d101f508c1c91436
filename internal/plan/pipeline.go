package plan

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/slipway-cd/slipway/internal/config"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/step"
)

// How long steps may take when the file does not say.
const (
	testTime     = delivery.Duration(30 * time.Minute)
	buildTime    = delivery.Duration(30 * time.Minute)
	scanTime     = delivery.Duration(30 * time.Minute)
	pushTime     = delivery.Duration(30 * time.Minute)
	trainTime    = delivery.Duration(24 * time.Hour)
	evaluateTime = delivery.Duration(2 * time.Hour)
	registerTime = delivery.Duration(10 * time.Minute)
	deployTime   = delivery.Duration(15 * time.Minute)
	graceTime    = delivery.Duration(time.Minute) // beyond what a step promises to keep itself
)

// tries after trouble on the way to a registry.
const pushRetries = 3

// deliver plans the way of a commit into the environment.
func (m *maker) deliver() error {
	p := m.project
	if m.trigger.Retrain && (p.Model == nil || p.Model.Train == nil) {
		return fault.New(fault.Invalid, "--retrain: %s trains no model", config.FileName)
	}
	deploy, err := m.deployWith()
	if err != nil {
		return err
	}
	if m.plan.Skip = m.skip(); m.plan.Skip != "" {
		return nil
	}
	tests, err := m.tests()
	if err != nil {
		return err
	}
	if err := m.build(tests); err != nil {
		return err
	}
	ready := []string{"push"}
	registered := p.Model != nil && p.Model.Train != nil
	if registered {
		if err := m.train(tests); err != nil {
			return err
		}
		ready = append(ready, "register")
	}
	if p.Sign != nil {
		m.attest(ready, deploy.Model)
		ready = []string{"push", "attest"}
	}
	if registered || m.env.Approvals > 0 {
		ask := step.ApproveParams{DeployApprovals: m.env.Approvals}
		if registered {
			ask.Model, ask.Group, ask.Auto = true, p.Model.Group, p.Model.AutoApprove()
		}
		m.add(step.Spec{Name: "approve", Kind: step.Approve, Needs: ready, Reason: askWhy(ask)}, ask)
		ready = []string{"push", "approve"}
	}
	m.rollout(ready, deploy)
	return nil
}

func (m *maker) tests() ([]string, error) {
	var names []string
	for i, t := range m.project.Test {
		in, err := m.inputs(fmt.Sprintf("test[%d].inputs", i), t.Inputs, false)
		if err == nil {
			in, err = m.python(fmt.Sprintf("test[%d].python", i), t.Python, in)
		}
		if err != nil {
			return nil, err
		}
		name := "test." + t.Name
		names = append(names, name)
		m.addCached(step.Spec{Name: name, Kind: step.Test, Timeout: or(t.Timeout, testTime)}, in, step.TestParams{
			Run: t.Run, Dir: t.Dir, Env: t.Env, Report: t.Report, AllowEmpty: t.AllowEmpty, Python: t.Python.Params(),
		})
	}
	return names, nil
}

func (m *maker) build(tests []string) error {
	image := m.project.Image
	in, err := m.inputs("image.build.inputs", image.Build.Inputs, false)
	if err != nil {
		return err
	}
	m.addCached(step.Spec{Name: "build", Kind: step.Build, Timeout: buildTime}, in, buildWith(image))
	needs := append([]string{"build"}, tests...)
	if m.scan() {
		needs = append(needs, "scan")
	}
	m.add(step.Spec{
		Name: "push", Kind: step.Push, Needs: needs, Timeout: pushTime, Retries: pushRetries,
		Reason: "uploads what the registry lacks",
	}, step.PushParams{Repository: image.Repository})
	return nil
}

func buildWith(image config.Image) step.BuildParams {
	b := image.Build
	with := step.BuildParams{
		Go: b.Go, Env: b.Env, Repository: image.Repository,
		Dockerfile: b.Dockerfile, Context: b.Context, Target: b.Target, Args: b.Args, SSH: b.SSH, Platforms: b.Platforms, Cache: b.Cache,
	}
	for id, ref := range b.Secrets {
		if with.Secrets == nil {
			with.Secrets = map[string]string{}
		}
		with.Secrets[id] = string(ref)
	}
	return with
}

// train plans training, evaluation and registration.
func (m *maker) train(tests []string) error {
	model := m.project.Model
	in, err := m.inputs("model.train.inputs", model.Train.Inputs, true)
	if err == nil {
		in, err = m.python("model.train.python", model.Train.Python, in)
	}
	if err != nil {
		return err
	}
	data, key := m.data()
	m.addCached(step.Spec{
		Name: "train", Kind: step.Train, Needs: tests, SkipCache: m.trigger.Retrain, Timeout: or(model.Train.Timeout, trainTime),
	}, in, step.TrainParams{Run: model.Train.Run, Env: model.Train.Env, Data: data, DataDigest: key, Python: model.Train.Python.Params()})

	in, err = m.inputs("model.evaluate.inputs", model.Evaluate.Inputs, true)
	if err == nil {
		in, err = m.python("model.evaluate.python", model.Evaluate.Python, in)
	}
	if err != nil {
		return err
	}
	e := model.Evaluate
	m.addCached(step.Spec{
		Name: "evaluate", Kind: step.Evaluate, Needs: []string{"train"}, Timeout: or(e.Timeout, evaluateTime),
	}, in, step.EvaluateParams{Run: e.Run, Env: e.Env, Data: data, DataDigest: key, Gates: e.Gates, RowsMetric: e.Rows, Python: e.Python.Params()}, "train")

	m.add(step.Spec{
		Name: "register", Kind: step.Register, Needs: []string{"train", "evaluate"}, Timeout: registerTime, Retries: pushRetries,
		Reason: "adds the model to " + model.Group + " unless it is there",
	}, step.RegisterParams{Group: model.Group, SBOM: m.project.Sign != nil})
	return nil
}

// rollout plans the release's way into the environment.
func (m *maker) rollout(needs []string, with step.DeployParams) {
	why := "nothing serves in " + string(m.plan.Environment)
	if m.plan.Replaces != "" {
		why = "replaces " + string(m.plan.Replaces)
	}
	if with.Release != "" && with.Release == m.plan.Replaces {
		why = "it serves already"
	}
	m.add(step.Spec{
		Name: "deploy", Kind: step.Deploy, Needs: needs, Undo: step.Rollback, Reason: why,
		Timeout: deployTime + with.Workload.Drain + bakes(with),
	}, with)
	m.verify("deploy", with)
	why = "production is watched for " + with.Bake.String() + ", then the release is accepted"
	if with.Bake == 0 {
		why = "no bake time: the release is accepted"
	}
	m.add(step.Spec{Name: "watch", Kind: step.Watch, Needs: []string{"verify"}, Timeout: with.Bake + graceTime, Reason: why}, with)
}

func (m *maker) verify(after string, with step.DeployParams) {
	m.add(step.Spec{
		Name: "verify", Kind: step.Verify, Needs: []string{after}, Timeout: with.Timeout + graceTime,
		Reason: "the release has to answer as itself",
	}, with)
}

// add appends a step that always runs.
func (m *maker) add(s step.Spec, with any) {
	raw, err := json.Marshal(with)
	if err != nil {
		raw = []byte("null") // Validate refuses the plan: it can't happen with our own types
	}
	s.Params = raw
	if s.Action == "" {
		s.Action = step.ActionRun
	}
	m.plan.Steps = append(m.plan.Steps, s)
}

func askWhy(a step.ApproveParams) string {
	who := ""
	switch {
	case a.Model && a.Auto:
		who = "the model is approved by its gates"
	case a.Model:
		who = "a person approves the model"
	}
	if a.DeployApprovals > 0 {
		persons := "1 person lets"
		if a.DeployApprovals > 1 {
			persons = fmt.Sprintf("%d persons let", a.DeployApprovals)
		}
		if who != "" {
			who += "; "
		}
		who += persons + " the run in"
	}
	return who
}

func or(d, otherwise delivery.Duration) delivery.Duration {
	if d > 0 {
		return d
	}
	return otherwise
}
