package config

import (
	"cmp"
	"maps"
	"slices"
	"sort"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
)

// Environment is what runs for the commits that enter it, and where releases are
// deployed.
type Environment struct {
	On         Triggers             `yaml:"on" jsonschema_description:"What is deployed automatically. Default: only what is selected with --env."`
	Until      string               `yaml:"until" jsonschema:"minLength=1" jsonschema_description:"Last step that runs here, such as build or register; tests always run. An environment with it deploys nothing and has no target."`
	From       delivery.Environment `yaml:"from" jsonschema_description:"Environment to promote from: a run deploys the release that was accepted there for the commit, without testing, building or training again."`
	Target     Target               `yaml:"target" unless:"until" jsonschema_description:"Where to deploy."`
	AWS        EnvironmentAWS       `yaml:"aws" json:",omitzero" jsonschema_description:"What differs here from the top-level aws section."`
	Image      EnvironmentImage     `yaml:"image" json:",omitzero" jsonschema_description:"What differs here from the top-level image section."`
	Deploy     *EnvironmentDeploy   `yaml:"deploy" jsonschema_description:"What differs here from the top-level deploy section."`
	Model      *EnvironmentModel    `yaml:"model" jsonschema_description:"What differs here from the top-level model section."`
	Approvals  int                  `yaml:"approvals" jsonschema:"minimum=0,maximum=10" jsonschema_description:"Number of required approvals. Default 0."`
	Scan       *EnvironmentScan     `yaml:"scan" jsonschema_description:"How this environment treats the scan."`
	Bake       delivery.Duration    `yaml:"bake" jsonschema_description:"How long production is monitored after a deployment. A breached threshold rolls back."`
	Alarms     []Alarm              `yaml:"alarms" json:",omitempty" jsonschema_description:"Alarms of CloudWatch that a release must not raise: asked before it is deployed, while it is rolled out and while it bakes. One that is raised rolls back."`
	AlarmsFrom AlarmSource          `yaml:"alarms_from" json:",omitzero" jsonschema_description:"Who publishes the metrics of p95 and error_rate."`
	Within     *delivery.Duration   `yaml:"alarms_within" json:",omitempty" jsonschema_description:"How long an alarm may have no data; then deploy.watch.no_traffic says what that means. Default 5m."`
	Trust      *Trust               `yaml:"trust" jsonschema_description:"Whose signatures a release must carry to be deployed. Default: none are required."`

	// Approvers are the lists that an approval's author has to be in, each; the file has
	// none, a policy does.
	Approvers [][]string `yaml:"-" json:"-"`

	repository string // of its images, in full; empty: the common one
}

// EnvironmentImage is what an environment changes in where its images are.
type EnvironmentImage struct {
	Registry string `yaml:"registry" jsonschema_description:"Where a repository without a host is, instead of the common one: ecr (of this environment's account and region), embedded, or a registry's HOST[:PORT]."`
}

// Deploys reports whether releases are deployed in the environment; it has a
// target then.
func (e Environment) Deploys() bool { return e.Until == "" }

// Triggers select what is deployed automatically.
type Triggers struct {
	Push        StringList `yaml:"push" jsonschema_description:"Branches whose pushes are deployed: a name, a glob or a list."`
	Tag         StringList `yaml:"tag" jsonschema_description:"Tags whose pushes are deployed: a name, a glob such as v* or a list."`
	PullRequest StringList `yaml:"pull_request" jsonschema_description:"Base branches of the pull requests that are deployed: a name, a glob or a list."`
	Dispatch    string     `yaml:"dispatch" jsonschema:"enum=any" jsonschema_description:"any: a CI may select the environment with --env from every branch and tag. Default: only from the branches and tags above."`
}

// IsZero reports whether nothing is deployed automatically.
func (t Triggers) IsZero() bool { return len(t.Push)+len(t.Tag)+len(t.PullRequest) == 0 }

// AnyDispatch is the value of Triggers.Dispatch that lifts the restriction.
const AnyDispatch = "any"

// EnvironmentDeploy is what an environment changes in how the service runs, and in
// how a new release is verified. Zero values change nothing.
type EnvironmentDeploy struct {
	Env       map[string]string `yaml:"env" jsonschema_description:"Environment variables, merged by name with the common ones. They are recorded, so they must not contain secrets. On this machine, ${NAME} in a value is expanded from Slipway's own environment when the service starts."`
	Args      []string          `yaml:"args" jsonschema_description:"Arguments of the server, instead of the common ones."`
	Replicas  *int              `yaml:"replicas" jsonschema:"minimum=1,maximum=100" jsonschema_description:"Number of replicas."`
	CPU       *float64          `yaml:"cpu" jsonschema:"minimum=0,maximum=1024" jsonschema_description:"CPU cores per replica. 0: no limit."`
	Memory    *Size             `yaml:"memory" jsonschema_description:"Memory per replica, such as 512Mi. 0: no limit."`
	Smoke     []Smoke           `yaml:"smoke" jsonschema_description:"Requests that a new release must answer as expected, instead of the common ones."`
	Manifests []string          `yaml:"manifests" jsonschema_description:"Kubernetes manifests, such as an overlay, instead of the common ones."`
	Values    []string          `yaml:"values" jsonschema_description:"Values files for the Helm charts among the manifests, after the common ones."`
}

// EnvironmentModel is what an environment changes in how the model is made.
type EnvironmentModel struct {
	Train   *EnvironmentTrain `yaml:"train" jsonschema_description:"false: nothing is trained here, the newest approved version is delivered. Or the keys that differ from the top-level train section."`
	Approve string            `yaml:"approve" jsonschema:"enum=auto,enum=manual" jsonschema_description:"Who approves a model that passed its gates here: auto or manual."`
	Gates   []string          `yaml:"gates" jsonschema:"minItems=1" jsonschema_description:"CEL expressions over the metrics, instead of the common ones."`
}

// EnvironmentTrain is what an environment changes in how the model is trained.
type EnvironmentTrain struct {
	Never   bool              `yaml:"-"` // the file says false
	When    TrainWhen         `yaml:"when" jsonschema:"enum=changed,enum=manual,enum=never" jsonschema_description:"When the model is trained: changed, manual (only with --retrain) or never."`
	Run     string            `yaml:"run" jsonschema:"minLength=1" jsonschema_description:"Shell command. {{.Data}} is the data, {{.Output}} the folder to write the model's files to."`
	Env     map[string]string `yaml:"env" jsonschema_description:"Environment variables, merged by name with the common ones. ${NAME} in a value is expanded from Slipway's own environment when the step runs."`
	Timeout delivery.Duration `yaml:"timeout" jsonschema_description:"Timeout, such as 1h."`
}

// EnvironmentNames lists the environments, sorted.
func (p Project) EnvironmentNames() []string {
	var names []string
	for n := range p.Environments {
		names = append(names, string(n))
	}
	sort.Strings(names)
	return names
}

// Environment returns the environment of that name. If it does not exist, the
// error lists those that do.
func (p Project) Environment(name delivery.Environment) (Environment, error) {
	e, ok := p.Environments[name]
	if !ok {
		return e, fault.New(fault.NotFound, "environment %q not found in %s", name, FileName).
			Hint("%s", fault.DidYouMean(string(name), p.EnvironmentNames()))
	}
	return e, nil
}

// In returns the project as the environment has it: with its own repository of images and
// smoke checks, and with its model section merged over the common one. What the environment changes
// in a release's configuration is not merged: see Overrides. p is not changed.
func (p Project) In(name delivery.Environment) Project {
	e := p.Environments[name]
	if e.repository != "" {
		p.Image.Repository = e.repository
	}
	if e.Deploy != nil && e.Deploy.Smoke != nil {
		p.Deploy.Smoke = e.Deploy.Smoke
	}
	if p.Model != nil && e.Model != nil {
		merged := e.Model.mergeOver(*p.Model)
		p.Model = &merged
	}
	return p
}

func (m EnvironmentModel) mergeOver(common Model) Model {
	common.Approve = cmp.Or(m.Approve, common.Approve)
	if m.Train != nil && m.Train.Never {
		common.Train, common.Evaluate, common.Data = nil, nil, nil
		return common
	}
	if m.Train != nil && common.Train != nil {
		train := *common.Train
		train.When = cmp.Or(m.Train.When, train.When)
		train.Run, train.Timeout = cmp.Or(m.Train.Run, train.Run), cmp.Or(m.Train.Timeout, train.Timeout)
		train.Env = mergeByName(train.Env, m.Train.Env)
		common.Train = &train
	}
	if m.Gates != nil && common.Evaluate != nil {
		evaluate := *common.Evaluate
		evaluate.Gates = m.Gates
		common.Evaluate = &evaluate
	}
	return common
}

func mergeByName(common, own map[string]string) map[string]string {
	if len(own) == 0 {
		return common
	}
	merged := maps.Clone(common)
	if merged == nil {
		merged = map[string]string{}
	}
	maps.Copy(merged, own)
	return merged
}

// ServiceVariables returns the values of the service's variables in all
// environments. They may refer to others as ${NAME}.
func (p Project) ServiceVariables() []string {
	all := slices.Collect(maps.Values(p.Deploy.Env))
	for _, name := range p.EnvironmentNames() {
		if own := p.Environments[delivery.Environment(name)].Deploy; own != nil {
			all = slices.AppendSeq(all, maps.Values(own.Env))
		}
	}
	return all
}

// Overrides are what the environment changes in the configuration of every release
// that is deployed there.
func (e Environment) Overrides() delivery.Overrides {
	d := e.Deploy
	if d == nil {
		return delivery.Overrides{}
	}
	out := delivery.Overrides{Env: d.Env, Args: d.Args, Replicas: d.Replicas, CPU: d.CPU, Manifests: d.Manifests, Values: d.Values}
	if d.Memory != nil {
		bytes := int64(*d.Memory)
		out.Memory = &bytes
	}
	return out
}
