// Package config reads slipway.yaml into a Project: strictly, and with the
// place of every mistake. The JSON Schema for editors comes from the same types.
package config

import (
	"encoding/json"
	"sort"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/extension"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/step"
)

// FileName is the file's name, at the top of the service's folder.
const FileName = "slipway.yaml"

// Project is slipway.yaml. The tags are read twice: by the decoder, which
// enforces them, and by the schema, which explains them to editors.
type Project struct {
	Version      int                                  `yaml:"version" jsonschema:"required,enum=1" jsonschema_description:"Version of this file's form."`
	Service      string                               `yaml:"service" jsonschema:"required" jsonschema_description:"Name of the service: lower-case letters, digits and dashes."`
	Source       Source                               `yaml:"source" jsonschema_description:"What of the repository matters."`
	Test         []Test                               `yaml:"test" jsonschema_description:"Commands that must succeed before anything is delivered. They run in parallel."`
	Image        Image                                `yaml:"image" jsonschema:"required" jsonschema_description:"The container image of the service."`
	Scan         *Scan                                `yaml:"scan" jsonschema_description:"Gate that looks for known vulnerabilities in the image before it is pushed. Without: no scan."`
	Model        *Model                               `yaml:"model" jsonschema_description:"The model that the service serves: trained, evaluated, approved and delivered with it."`
	Deploy       Deploy                               `yaml:"deploy" jsonschema_description:"How the service runs, and how a new release proves itself."`
	Environments map[delivery.Environment]Environment `yaml:"environments" jsonschema:"required,minProperties=1" jsonschema_description:"Where releases serve, and what may enter there."`
	Sign         *Sign                                `yaml:"sign" jsonschema_description:"Sign image and model, with their provenance. Without: nothing is signed."`
	Notify       []Notify                             `yaml:"notify" jsonschema_description:"Who hears how runs end."`

	Steps []OptionalStep `yaml:"-"` // of registered kinds, in their order
}

// Source says what of the repository matters.
type Source struct {
	Ignore []string `yaml:"ignore" jsonschema_description:"Globs of files that never change what is delivered; a commit that changes only these is skipped. ** crosses folders."`
}

// Test is a command that must succeed.
type Test struct {
	Name       string            `yaml:"name" jsonschema:"required" jsonschema_description:"Name of the step: test.NAME."`
	Run        string            `yaml:"run" jsonschema:"required" jsonschema_description:"Shell command, run in a clean checkout. {{.Report}} is the file to write a JUnit report to."`
	Report     step.ReportFormat `yaml:"report" jsonschema:"enum=junit,enum=go,enum=ruff" jsonschema_description:"How the command reports its tests: junit (a file at {{.Report}}), go (go test -json on standard output) or ruff (ruff check --output-format json, on standard output or at {{.Report}})."`
	Dir        string            `yaml:"dir" jsonschema_description:"Folder to run in, relative to this file."`
	Env        map[string]string `yaml:"env" jsonschema_description:"Environment variables. ${NAME} in a value is taken from Slipway's own environment when the step runs."`
	Timeout    delivery.Duration `yaml:"timeout" jsonschema_description:"Longest time it may take, such as 10m. Default 30m."`
	AllowEmpty bool              `yaml:"allow_empty" jsonschema_description:"A report without a single test is fine."`
	Inputs     []string          `yaml:"inputs" jsonschema_description:"Globs of the files that the result depends on; default: all that source.ignore leaves."`
	Python     *Python           `yaml:"python" jsonschema_description:"An isolated Python environment that the command runs in."`
}

// Python asks for an isolated environment for a command.
type Python struct {
	Requirements string `yaml:"requirements" jsonschema_description:"Requirements file in pip's form, relative to this file; those that it includes count too."`
	Lock         string `yaml:"lock" jsonschema_description:"uv.lock, relative to this file, with pyproject.toml beside it. It takes uv."`
	Version      string `yaml:"version" jsonschema_description:"Version of Python, in quotes, such as 3.11. Default: the first one in PATH."`
}

// Image says how the image is built and what it is called.
type Image struct {
	Build      Build  `yaml:"build" jsonschema:"required" jsonschema_description:"How the image is built."`
	Repository string `yaml:"repository" jsonschema:"required" jsonschema_description:"Repository without a tag. Without a registry's host it is kept in Slipway's own registry."`
}

// Build is how the image is built: one kind of builder, with its section.
type Build struct {
	Kind    extension.Kind   `yaml:"-"`
	Section any              `yaml:"-"`
	Params  step.BuildParams `yaml:"-"` // the section as a plan keeps it, without the repository
	Inputs  []string         `yaml:"inputs" jsonschema_description:"Globs of the files that the image depends on; default: all that source.ignore leaves."`
}

// Model says where the model comes from. With only a group, the newest approved
// version of it is delivered.
type Model struct {
	Group    string                 `yaml:"group" jsonschema:"required" jsonschema_description:"Name of the model in the registry."`
	Registry extension.Kind         `yaml:"registry" kinds:"model registries" jsonschema_description:"Registry that keeps the model's versions."`
	Data     []string               `yaml:"data" jsonschema_description:"Files or folders that training and evaluation read, relative to this file. ${NAME} and ${NAME:-default} are filled in from the environment. Their content is part of the model's lineage."`
	Train    *Train                 `yaml:"train" jsonschema_description:"How the model is trained."`
	Evaluate *Evaluate              `yaml:"evaluate" jsonschema_description:"How the model is measured, and what it must reach."`
	Deliver  delivery.ModelDelivery `yaml:"deliver" jsonschema:"enum=init,enum=volume,enum=env" jsonschema_description:"How the model comes into a pod in Kubernetes: init (default: an init container checks it and copies it to /model), volume (an OCI image volume), or env (only MODEL_VERSION and MODEL_DIGEST: the service loads it itself)."`
	Approve  string                 `yaml:"approve" jsonschema:"enum=auto,enum=manual" jsonschema_description:"Who approves a model that passed its gates: auto, or manual (default): a person, by slipway approve."`
}

// AutoApprove tells whether a model that passed its gates is approved by itself.
func (m Model) AutoApprove() bool { return m.Approve == "auto" }

// Train is the training command.
type Train struct {
	Run     string            `yaml:"run" jsonschema:"required" jsonschema_description:"Shell command. {{.Data}} is the data, {{.Output}} the folder to write the model's files to."`
	On      *Runner           `yaml:"on" jsonschema_description:"Where the command runs. Default: local."`
	Env     map[string]string `yaml:"env" jsonschema_description:"Environment variables; ${NAME} in a value is taken from Slipway's own environment when the step runs."`
	Inputs  []string          `yaml:"inputs" jsonschema_description:"Globs of the files that the model depends on: it is trained again when one of them or the data changes. Default: all that source.ignore leaves."`
	Timeout delivery.Duration `yaml:"timeout" jsonschema_description:"Longest time it may take, such as 1h. Default 24h."`
	Python  *Python           `yaml:"python" jsonschema_description:"An isolated Python environment that the command runs in."`
}

// Evaluate is the evaluation command and its gates.
type Evaluate struct {
	Run     string            `yaml:"run" jsonschema:"required" jsonschema_description:"Shell command. {{.Data}} is the data, {{.Model}} the folder with the model's files, {{.Metrics}} the JSON file to write metrics to."`
	On      *Runner           `yaml:"on" jsonschema_description:"Where the command runs. Default: local."`
	Env     map[string]string `yaml:"env" jsonschema_description:"Environment variables; ${NAME} in a value is taken from Slipway's own environment when the step runs."`
	Inputs  []string          `yaml:"inputs" jsonschema_description:"Globs of the files that the metrics depend on; default: all that source.ignore leaves."`
	Timeout delivery.Duration `yaml:"timeout" jsonschema_description:"Longest time it may take. Default 2h."`
	Gates   []string          `yaml:"gates" jsonschema:"required,minItems=1" jsonschema_description:"CEL expressions over the metrics, such as accuracy >= 0.8 or accuracy >= champion.accuracy - 0.01, where champion is the model that serves."`
	Python  *Python           `yaml:"python" jsonschema_description:"An isolated Python environment that the command runs in."`
	Rows    string            `yaml:"rows" jsonschema_description:"Metric that counts the evaluated rows: 0 rows pass no gate. Default: rows, when there is one."`
}

// Deploy says how the service runs, and how a new release proves itself.
type Deploy struct {
	Env       map[string]string `yaml:"env" jsonschema_description:"Environment variables of the service. They are recorded in the release: no secrets."`
	Args      []string          `yaml:"args" jsonschema_description:"Arguments of the server."`
	Replicas  int               `yaml:"replicas" jsonschema:"minimum=0,maximum=100" jsonschema_description:"Running copies. Default 1."`
	CPU       float64           `yaml:"cpu" jsonschema:"minimum=0,maximum=1024" jsonschema_description:"Cores per replica; 0: no limit."`
	Memory    Size              `yaml:"memory" jsonschema_description:"Memory per replica, such as 512Mi; without: no limit."`
	Health    string            `yaml:"health" jsonschema_description:"Path that answers with release and model_version as JSON. Default /health."`
	Ready     string            `yaml:"ready" jsonschema_description:"Path that answers 200 once the replica can serve. Default: health."`
	Drain     delivery.Duration `yaml:"drain" jsonschema_description:"Time for the requests in flight when a replica ends. Default 10s."`
	Healthy   int               `yaml:"healthy" jsonschema:"minimum=0,maximum=1000" jsonschema_description:"Good answers in a row that verification wants. Default 3."`
	Within    delivery.Duration `yaml:"within" jsonschema_description:"Time that verification may take. Default 1m."`
	Manifests []string          `yaml:"manifests" jsonschema_description:"What runs in Kubernetes: files, folders, kustomizations or Helm charts, relative to this file. Without: a Deployment and a Service are made from this section."`
	Values    []string          `yaml:"values" jsonschema_description:"Values files for the Helm charts among the manifests."`
	Strategy  delivery.Strategy `yaml:"strategy" jsonschema:"enum=rolling,enum=blue_green,enum=canary" jsonschema_description:"How a new release takes over in Kubernetes: rolling (default: pod by pod), blue_green (all at once; the one before stays until the release is accepted) or canary (step by step, each judged against what serves)."`
	Canary    *Canary           `yaml:"canary" jsonschema_description:"The steps of strategy canary, and what they are judged by."`
	Smoke     []Smoke           `yaml:"smoke" jsonschema_description:"Requests that a new release must answer as expected."`
	Watch     Watch             `yaml:"watch" jsonschema_description:"What production may do during the bake time."`
}

// Smoke is one request and the answer it must get.
type Smoke struct {
	Name   string   `yaml:"name" jsonschema:"required" jsonschema_description:"Name of the check."`
	Get    string   `yaml:"get" jsonschema_description:"Path to ask with GET."`
	Post   string   `yaml:"post" jsonschema_description:"Path to ask with POST."`
	Put    string   `yaml:"put" jsonschema_description:"Path to ask with PUT."`
	JSON   any      `yaml:"json" jsonschema_description:"Body of the request."`
	Status int      `yaml:"status" jsonschema:"minimum=100,maximum=599" jsonschema_description:"Status to expect. Default 200."`
	Expect []string `yaml:"expect" jsonschema_description:"CEL expressions over status, body, headers, release and model_version."`
}

// Watch says what production may do during the bake time.
type Watch struct {
	ErrorRate   float64           `yaml:"error_rate" jsonschema:"minimum=0,maximum=1" jsonschema_description:"Highest share of failed requests. Default 0.01."`
	P95         delivery.Duration `yaml:"p95" jsonschema_description:"Highest 95th percentile of latency; without: not asked."`
	MinRequests int               `yaml:"min_requests" jsonschema:"minimum=0" jsonschema_description:"Fewer requests than this are not enough traffic to judge. Default 1."`
	NoTraffic   string            `yaml:"no_traffic" jsonschema:"enum=accept,enum=fail" jsonschema_description:"What not enough traffic means: accept (default) or fail."`
}

// Canary says in which steps a release takes over, and what stops it.
type Canary struct {
	Steps         []CanaryStep `yaml:"steps" jsonschema:"required,minItems=1" jsonschema_description:"Shares of the traffic that it gets, one after the other."`
	MinRequests   int          `yaml:"min_requests" jsonschema:"minimum=0" jsonschema_description:"Requests that it must have answered in a step to be judged. Default 50."`
	NoTraffic     string       `yaml:"no_traffic" jsonschema:"enum=accept,enum=fail" jsonschema_description:"What too few requests mean: fail (default) or accept."`
	ErrorMargin   float64      `yaml:"error_margin" jsonschema:"minimum=0,maximum=1" jsonschema_description:"By how much its share of failed requests may be higher than that of what serves. Default 0.01."`
	LatencyMargin float64      `yaml:"latency_margin" jsonschema:"minimum=0,maximum=100" jsonschema_description:"By what factor its 95th percentile of latency may be higher. Default 1.2."`
	Prometheus    string       `yaml:"prometheus" jsonschema_description:"Address of a Prometheus for the queries."`
	Queries       []Query      `yaml:"queries" jsonschema_description:"Further questions to Prometheus."`
}

// CanaryStep is one share of the traffic, and how long it is watched.
type CanaryStep struct {
	Weight int               `yaml:"weight" jsonschema:"required,minimum=1,maximum=99" jsonschema_description:"Percent of the traffic."`
	Bake   delivery.Duration `yaml:"bake" jsonschema:"required" jsonschema_description:"How long this step is watched."`
}

// Query is one question to Prometheus, with what its answer may be.
type Query struct {
	Name  string   `yaml:"name" jsonschema:"required" jsonschema_description:"Name of the question."`
	Query string   `yaml:"query" jsonschema:"required" jsonschema_description:"PromQL that gives one value. {{.Release}}, {{.Running}}, {{.Service}}, {{.Environment}} and {{.Namespace}} are filled in."`
	Min   *float64 `yaml:"min" jsonschema_description:"Least value that is good."`
	Max   *float64 `yaml:"max" jsonschema_description:"Highest value that is good."`
}

// Environment is where releases serve, and what may enter there.
type Environment struct {
	On        Triggers          `yaml:"on" jsonschema_description:"What enters by itself. Without: only what is asked for by name."`
	Target    Target            `yaml:"target" jsonschema:"required" jsonschema_description:"The place."`
	Approvals int               `yaml:"approvals" jsonschema:"minimum=0,maximum=10" jsonschema_description:"Persons who must let a run in. Default 0."`
	Scan      *EnvironmentScan  `yaml:"scan" jsonschema_description:"What the scan means here."`
	Bake      delivery.Duration `yaml:"bake" jsonschema_description:"Time that production is watched after a deployment; a breach rolls back."`
	Trust     *Trust            `yaml:"trust" jsonschema_description:"Whose signatures a release must carry to enter. Without: none are asked for."`
}

// Triggers is what enters an environment by itself.
type Triggers struct {
	Push        StringList `yaml:"push" jsonschema_description:"Branches whose pushes enter: a name, a glob, or a list."`
	PullRequest StringList `yaml:"pull_request" jsonschema_description:"Branches that pull requests which enter aim at."`
}

// Target is where an environment is deployed: one kind of target, with its section.
type Target struct {
	Kind      extension.Kind
	Section   any
	Location  delivery.Location // the section as a plan keeps it
	Port      int
	Abilities extension.Abilities
}

// Notify is a receiver of messages about runs: one kind of notifier, with its section.
type Notify struct {
	Kind    extension.Kind     `yaml:"-"`
	Section any                `yaml:"-"`
	Events  []delivery.Outcome `yaml:"events" jsonschema:"enum=deployed,enum=skipped,enum=failed,enum=rolled_back,enum=rollback_failed,enum=waiting,enum=cancelled,enum=succeeded" jsonschema_description:"Outcomes of runs to report. Default: all."`
}

// Runner is where a command runs: one kind of job runner, with its section.
type Runner struct {
	Kind    extension.Kind
	Section any
}

// OptionalStep is a step that a section of its own switches on.
type OptionalStep struct {
	Kind      step.Kind
	Params    json.RawMessage
	Stage     extension.Stage
	Timeout   delivery.Duration
	Cacheable bool
	Reason    string
}

// Secret is "${NAME}".
type Secret = extension.Secret

// StringList is one name or a list of them.
type StringList []string

// EnvironmentNames lists the environments, sorted.
func (p Project) EnvironmentNames() []string {
	var names []string
	for n := range p.Environments {
		names = append(names, string(n))
	}
	sort.Strings(names)
	return names
}

// Environment finds an environment, or says which there are.
func (p Project) Environment(name delivery.Environment) (Environment, error) {
	e, ok := p.Environments[name]
	if !ok {
		return e, fault.New(fault.NotFound, "environment %q not found in %s", name, FileName).
			Hint("%s", fault.DidYouMean(string(name), p.EnvironmentNames()))
	}
	return e, nil
}
