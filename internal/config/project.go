// Package config reads slipway.yaml into a Project: strictly, and with the
// place of every mistake. The JSON Schema for editors comes from the same types.
package config

import (
	"cmp"
	"encoding/json"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/extension"
	"github.com/slipway-cd/slipway/internal/step"
)

// FileName is the file's name, at the top of the service's folder.
const FileName = "slipway.yaml"

// Project is slipway.yaml. The tags are read twice: by the decoder, which
// enforces them, and by the schema, which explains them to editors.
type Project struct {
	Version      int                                  `yaml:"version" jsonschema:"required,enum=1" jsonschema_description:"Version of the file format."`
	Service      string                               `yaml:"service" jsonschema:"required" jsonschema_description:"Name of the service: lower-case letters, digits and dashes. Its records belong to the name: a new one starts without history."`
	Source       Source                               `yaml:"source" jsonschema_description:"Which files of the repository matter."`
	Test         []Test                               `yaml:"test" jsonschema_description:"Commands that must succeed before anything is deployed. They run in parallel."`
	Image        Image                                `yaml:"image" jsonschema:"required" jsonschema_description:"The container image of the service."`
	Scan         *Scan                                `yaml:"scan" jsonschema_description:"Gate that scans the image for known vulnerabilities before it is pushed. Default: no scan."`
	Model        *Model                               `yaml:"model" jsonschema_description:"The model of the service: trained, evaluated, approved and deployed with it."`
	Deploy       Deploy                               `yaml:"deploy" jsonschema_description:"How the service runs, and how a new release is verified."`
	State        State                                `yaml:"state" jsonschema_description:"Where machines share the project's records: a URL, or the path of a folder. Default: the folder .slipway of this machine."`
	AWS          AWS                                  `yaml:"aws" json:",omitzero" jsonschema_description:"Account and region of AWS."`
	Environments map[delivery.Environment]Environment `yaml:"environments" jsonschema:"required,minProperties=1" jsonschema_description:"Where releases are deployed, and what is deployed automatically."`
	Box          string                               `yaml:"box" jsonschema:"enum=none,enum=auto,enum=own" jsonschema_description:"Whether test, training and evaluation commands on this machine run in a box that hides the other processes, the homes of users and Slipway's state: none (default), auto (where the machine can make one) or own (always: the run is refused where it can't)."`
	Sign         *Sign                                `yaml:"sign" jsonschema_description:"How image, model and provenance are signed. Default: nothing is signed."`
	Notify       []Notify                             `yaml:"notify" jsonschema_description:"Who is notified when a run ends."`

	Steps []OptionalStep `yaml:"-"` // of registered kinds, in their order
}

// Source configures which files of the repository matter.
type Source struct {
	Ignore []string `yaml:"ignore" jsonschema_description:"Globs of files that do not affect the release; a commit that changes only these is skipped. ** crosses folders."`
	Also   []string `yaml:"also" jsonschema_description:"Globs of files beside this folder, in the same repository, that belong to the service, such as ../lib/**. They are inputs like its own files, and in the checkout at the same relative place."`
}

// AlsoGlobs returns the globs of Also as doublestar reads them.
func (s Source) AlsoGlobs() []string {
	var globs []string
	for _, g := range s.Also {
		globs = append(globs, normalizeGlob(g))
	}
	return globs
}

// Test is a command that must succeed.
type Test struct {
	Name       string            `yaml:"name" jsonschema:"required" jsonschema_description:"Name of the step: test.NAME."`
	Run        string            `yaml:"run" jsonschema:"required" jsonschema_description:"Shell command that runs in a clean checkout. {{.Report}} is the file to write a JUnit report to."`
	Report     step.ReportFormat `yaml:"report" jsonschema:"enum=junit,enum=go,enum=ruff" jsonschema_description:"How the command reports its tests: junit (a file at {{.Report}}), go (go test -json on standard output) or ruff (ruff check --output-format json, on standard output or at {{.Report}})."`
	Dir        string            `yaml:"dir" jsonschema_description:"Folder to run in, relative to this file."`
	Env        map[string]string `yaml:"env" jsonschema_description:"Environment variables. ${NAME} in a value is expanded from Slipway's own environment when the step runs."`
	Timeout    delivery.Duration `yaml:"timeout" jsonschema_description:"Timeout, such as 10m. Default 30m."`
	AllowEmpty bool              `yaml:"allow_empty" jsonschema_description:"Accept a report without any test."`
	Inputs     []string          `yaml:"inputs" jsonschema_description:"Globs of the files that the result depends on. Default: all files not matched by source.ignore."`
	Python     *Python           `yaml:"python" jsonschema_description:"Isolated Python environment for the command."`
}

// Python configures an isolated environment for a command.
type Python struct {
	Requirements string   `yaml:"requirements" jsonschema_description:"Requirements file in pip's format, relative to this file. Files that it includes count too."`
	Lock         string   `yaml:"lock" jsonschema_description:"uv.lock (requires uv), poetry.lock, Pipfile.lock or conda-lock.yml (requires micromamba, mamba or conda), relative to this file. uv.lock and poetry.lock are next to their pyproject.toml."`
	Packages     []string `yaml:"packages" jsonschema:"minItems=1" jsonschema_description:"Packages to install, such as pytest or ruff==0.14.1; besides requirements or lock, or alone."`
	Version      string   `yaml:"version" jsonschema_description:"Python version, in quotes, such as 3.11. Default: the first one in PATH."`
}

// Image configures how the image is built and named.
type Image struct {
	Build      Build      `yaml:"build" jsonschema:"required" jsonschema_description:"How the image is built."`
	Registry   string     `yaml:"registry" json:"-" jsonschema_description:"Where a repository without a host is: ecr (of the account and region that aws names), embedded (Slipway's own, the default), or a registry's HOST[:PORT]."`
	Repository string     `yaml:"repository" jsonschema:"required" jsonschema_description:"Repository, without a tag. Without a registry it is stored in Slipway's embedded registry."`
	Create     bool       `yaml:"create" json:",omitzero" jsonschema_description:"true: a repository of ECR that does not exist is created, with tags that stay and a scan of what is pushed. Default: that is an error."`
	Tags       StringList `yaml:"tags" json:",omitempty" jsonschema_description:"Tags that each pushed image gets besides build-RUN-COMMIT, such as prod: one or a list. Without them, not even latest is moved: releases are deployed by digest."`

	Docker bool `yaml:"-" json:"-"` // what reads it takes Docker's format only: one image for linux/amd64
}

// Build is how the image is built: one kind of builder, with its section.
type Build struct {
	Kind    extension.Kind   `yaml:"-"`
	Section any              `yaml:"-"`
	Params  step.BuildParams `yaml:"-"` // the section as a plan keeps it, without the repository
	Inputs  []string         `yaml:"inputs" jsonschema_description:"Globs of the files that the image depends on. Default: all files not matched by source.ignore."`
}

// Model configures where the model comes from. With only a group, the newest
// approved version of it is delivered.
type Model struct {
	Group    string                 `yaml:"group" jsonschema:"required" jsonschema_description:"Name of the model in the registry."`
	Registry Registry               `yaml:"registry" jsonschema_description:"Registry that keeps the model's versions."`
	Data     []string               `yaml:"data" jsonschema_description:"Files or folders that training and evaluation read, relative to this file, or in S3: s3://bucket/key for an object, s3://bucket/prefix/ for all below a prefix. ${NAME} and ${NAME:-default} are expanded from the environment. Their content is part of the model's lineage."`
	Train    *Train                 `yaml:"train" jsonschema_description:"How the model is trained."`
	Evaluate *Evaluate              `yaml:"evaluate" jsonschema_description:"How the model is evaluated, and which gates it must pass."`
	Budget   *Budget                `yaml:"budget" json:",omitempty" jsonschema_description:"What training elsewhere than on this machine may cost. A run that is estimated to cost more waits for an approval, with exit code 4."`
	Deliver  delivery.ModelDelivery `yaml:"deliver" jsonschema:"enum=init,enum=volume,enum=env" jsonschema_description:"How the model gets into a pod in Kubernetes: init (default; an init container verifies it and copies it to /model), volume (an OCI image volume) or env (the service loads it itself: MODEL_VERSION and MODEL_DIGEST are set, and with registry: {sagemaker: ...} MODEL_PACKAGE_ARN, MODEL_DATA_URL and MODEL_DATA_VERSION)."`
	Approve  string                 `yaml:"approve" jsonschema:"enum=auto,enum=manual" jsonschema_description:"Who approves a model that passed its gates: auto, or manual (default; with slipway approve)."`
}

// AutoApprove reports whether a model that passed its gates needs no manual
// approval.
func (m Model) AutoApprove() bool { return m.Approve == "auto" }

// Train is the training command.
type Train struct {
	Run     string            `yaml:"run" jsonschema:"required" jsonschema_description:"Shell command. {{.Data}} is the data, {{.Output}} the folder to write the model's files to."`
	On      *Runner           `yaml:"on" jsonschema_description:"Where the command runs. Default: local."`
	When    TrainWhen         `yaml:"when" jsonschema:"enum=changed,enum=manual,enum=never" jsonschema_description:"When the model is trained: changed (when an input changed; default on this machine), manual (only with --retrain; default elsewhere) or never. Otherwise the newest approved version is delivered."`
	Pulls   bool              `yaml:"pull_requests" jsonschema_description:"Whether runs for pull requests may train and evaluate elsewhere than on this machine, which may cost money. Default false."`
	Env     map[string]string `yaml:"env" jsonschema_description:"Environment variables. ${NAME} in a value is expanded from Slipway's own environment when the step runs."`
	Dir     string            `yaml:"dir" jsonschema_description:"Folder to run in, relative to this file."`
	Inputs  []string          `yaml:"inputs" jsonschema_description:"Globs of the files that the model depends on. It is trained again when one of them or the data changes. Default: all files not matched by source.ignore."`
	Timeout delivery.Duration `yaml:"timeout" jsonschema_description:"Timeout, such as 1h. Default 24h."`
	Python  *Python           `yaml:"python" jsonschema_description:"Isolated Python environment for the command."`
}

// isRemote reports whether the command runs elsewhere than on this machine.
func (t Train) isRemote() bool { return t.On != nil && t.On.Remote }

// IsRemote reports whether the model is trained or evaluated elsewhere than on this
// machine, which may cost money.
func (m Model) IsRemote() bool {
	return m.Train != nil && m.Train.isRemote() || m.Evaluate != nil && m.Evaluate.IsRemote()
}

// IsRemote reports whether the command runs elsewhere than on this machine.
func (e Evaluate) IsRemote() bool { return e.On != nil && e.On.Remote }

// TrainsWhen returns when the model is trained, and evaluated.
func (m Model) TrainsWhen() TrainWhen {
	if m.Train.When == "" && m.IsRemote() {
		return TrainManual
	}
	return cmp.Or(m.Train.When, TrainChanged)
}

// IsHeldForPulls reports whether a pull request may not train.
func (m Model) IsHeldForPulls() bool { return m.IsRemote() && !m.Train.Pulls }

// TrainWhen is when a model is trained.
type TrainWhen string

// The values; empty is TrainChanged.
const (
	TrainChanged TrainWhen = "changed"
	TrainManual  TrainWhen = "manual"
	TrainNever   TrainWhen = "never"
)

// Evaluate is the evaluation and its gates: a command, or the metrics of training.
type Evaluate struct {
	Run     string            `yaml:"run" unless:"from" jsonschema_description:"Shell command, unless from is set. {{.Data}} is the data, {{.Model}} the folder with the model's files, {{.Metrics}} the JSON file to write metrics to."`
	From    string            `yaml:"from" jsonschema:"enum=train" jsonschema_description:"train: the metrics are a file that training wrote to its output folder. Instead of run."`
	Metrics string            `yaml:"metrics" jsonschema_description:"With from: that file, relative to the output folder. Default metrics.json."`
	On      *Runner           `yaml:"on" jsonschema_description:"Where the command runs. Default: local, wherever the model was trained."`
	Env     map[string]string `yaml:"env" jsonschema_description:"Environment variables. ${NAME} in a value is expanded from Slipway's own environment when the step runs."`
	Dir     string            `yaml:"dir" jsonschema_description:"Folder to run in, relative to this file."`
	Inputs  []string          `yaml:"inputs" jsonschema_description:"Globs of the files that the metrics depend on. Default: all files not matched by source.ignore."`
	Timeout delivery.Duration `yaml:"timeout" jsonschema_description:"Timeout. Default 2h."`
	Gates   []string          `yaml:"gates" jsonschema:"minItems=1" jsonschema_description:"CEL expressions over the metrics, such as accuracy >= 0.8 or accuracy >= champion.accuracy - 0.01, where champion is the deployed model. Without any, every model passes."`
	Python  *Python           `yaml:"python" jsonschema_description:"Isolated Python environment for the command."`
	Rows    string            `yaml:"rows" jsonschema_description:"Metric that counts the evaluated rows. With 0 rows no gate passes. Default: rows, if it exists."`
}

// FromTraining is the value of Evaluate.From: the metrics of training are used.
const FromTraining = "train"

// Deploy configures how the service runs, and how a new release is verified.
type Deploy struct {
	Env       map[string]string  `yaml:"env" jsonschema_description:"Environment variables of the service. They are recorded in the release, so they must not contain secrets. On this machine, ${NAME} in a value is expanded from Slipway's own environment when the service starts; only the name is recorded."`
	Args      []string           `yaml:"args" jsonschema_description:"Arguments of the server."`
	Replicas  int                `yaml:"replicas" jsonschema:"minimum=0,maximum=100" jsonschema_description:"Number of replicas. Default 1."`
	CPU       float64            `yaml:"cpu" jsonschema:"minimum=0,maximum=1024" jsonschema_description:"CPU cores per replica. 0: no limit."`
	Memory    Size               `yaml:"memory" jsonschema_description:"Memory per replica, such as 512Mi. Default: no limit."`
	Port      *int               `yaml:"port" jsonschema:"minimum=0,maximum=65535" jsonschema_description:"Port that the service listens on, where its manifests do not set it; it gets the number in PORT, too. 0: it listens on whatever PORT is. Default on this machine: the only port that the image exposes, or else 0; in Kubernetes: 8000."`
	ReadOnly  *bool              `yaml:"read_only" jsonschema_description:"false: the service may write to its root file system, in a private copy that is gone when the replica ends. Default true; /tmp is always writable."`
	Health    string             `yaml:"health" jsonschema_description:"Path that returns 2xx when the service is healthy; if it names status, release or model_version as JSON, they must be right. Default /health."`
	Ready     string             `yaml:"ready" jsonschema_description:"Path that returns 200 once the replica can handle requests. Default: the health path."`
	Drain     delivery.Duration  `yaml:"drain" jsonschema_description:"How long a stopping replica may finish requests in flight. Default 10s."`
	Healthy   int                `yaml:"healthy" jsonschema:"minimum=0,maximum=1000" jsonschema_description:"Consecutive successful health checks that verification requires. Default 3."`
	Within    delivery.Duration  `yaml:"within" jsonschema_description:"Timeout of verification. Default 1m."`
	Manifests []string           `yaml:"manifests" jsonschema_description:"Kubernetes manifests: files, folders, kustomizations or Helm charts, relative to this file. Default: a Deployment and a Service generated from this section."`
	Values    []string           `yaml:"values" jsonschema_description:"Values files for the Helm charts among the manifests."`
	Strategy  delivery.Strategy  `yaml:"strategy" jsonschema:"enum=rolling,enum=blue_green,enum=canary" jsonschema_description:"How a new release is rolled out in Kubernetes: rolling (default; pod by pod), blue_green (all at once; the previous release stays until the new one is accepted) or canary (step by step, each compared with the running release)."`
	OnFailure step.FailurePolicy `yaml:"on_failure" jsonschema:"enum=rollback,enum=hold" jsonschema_description:"What to do when a release fails after it got the traffic: rollback (default) or hold. hold leaves the traffic where it is until a person decides, for releases that must not be rolled back automatically, such as after a migration."`
	Canary    *Canary            `yaml:"canary" jsonschema_description:"Steps and analysis of strategy canary."`
	Smoke     []Smoke            `yaml:"smoke" jsonschema_description:"Requests that a new release must answer as expected."`
	Watch     Watch              `yaml:"watch" jsonschema_description:"Thresholds for production traffic during the bake time."`
}

// Smoke is one request and the expected response, or a look at the model.
type Smoke struct {
	Name        string            `yaml:"name" jsonschema:"required" jsonschema_description:"Name of the check."`
	Get         string            `yaml:"get" jsonschema_description:"Path of a GET request."`
	Post        string            `yaml:"post" jsonschema_description:"Path of a POST request."`
	Put         string            `yaml:"put" jsonschema_description:"Path of a PUT request."`
	Headers     map[string]string `yaml:"headers" jsonschema_description:"Headers of the request. ${NAME} in a value is expanded from Slipway's own environment when the request is sent; the value is not recorded."`
	JSON        any               `yaml:"json" jsonschema_description:"Body of the request, sent as JSON."`
	Body        string            `yaml:"body" jsonschema_description:"Body of the request as it is, sent as text/plain unless headers has a Content-Type."`
	File        string            `yaml:"file" jsonschema_description:"File of the repository whose content is the body of the request, at most 256 KiB, sent as application/octet-stream unless headers has a Content-Type."`
	ModelOpened bool              `yaml:"model_opened" jsonschema_description:"Instead of a request: true requires that the release has opened its model's files after the other checks. Only the local target can see that."`
	Status      int               `yaml:"status" jsonschema:"minimum=100,maximum=599" jsonschema_description:"Expected status. Default 200."`
	Expect      []string          `yaml:"expect" jsonschema_description:"CEL expressions over status, body, headers, release and model_version."`
}

// Watch holds the thresholds for production traffic during the bake time.
type Watch struct {
	ErrorRate   float64              `yaml:"error_rate" jsonschema:"minimum=0,maximum=1" jsonschema_description:"Maximum share of failed requests. Default 0.01."`
	P95         delivery.Duration    `yaml:"p95" jsonschema_description:"Maximum 95th percentile of latency. Default: not checked."`
	MinRequests int                  `yaml:"min_requests" jsonschema:"minimum=0" jsonschema_description:"Minimum number of requests for a verdict. Default 1."`
	NoTraffic   step.NoTrafficPolicy `yaml:"no_traffic" jsonschema:"enum=accept,enum=fail" jsonschema_description:"What to do when there is not enough traffic: accept (default) or fail."`
	Restarts    int                  `yaml:"restarts" jsonschema:"minimum=0,maximum=1000" jsonschema_description:"How often replicas may restart in the bake time. Default 0. Evictions do not count."`
	Unready     delivery.Duration    `yaml:"unready" jsonschema_description:"For how long, in total, fewer replicas may be ready than wanted. Default: a tenth of the bake time, at least 10s."`
}

// Canary configures the steps of a canary rollout and its analysis.
type Canary struct {
	Steps         []CanaryStep         `yaml:"steps" jsonschema:"required,minItems=1" jsonschema_description:"Traffic weights of the new release, one after the other."`
	MinRequests   int                  `yaml:"min_requests" jsonschema:"minimum=0" jsonschema_description:"Minimum number of requests of the new release for a verdict on a step. Default 50."`
	NoTraffic     step.NoTrafficPolicy `yaml:"no_traffic" jsonschema:"enum=accept,enum=fail" jsonschema_description:"What to do when there are too few requests: fail (default) or accept."`
	ErrorMargin   float64              `yaml:"error_margin" jsonschema:"minimum=0,maximum=1" jsonschema_description:"How much higher its share of failed requests may be than that of the running release. Default 0.01."`
	LatencyMargin float64              `yaml:"latency_margin" jsonschema:"minimum=0,maximum=100" jsonschema_description:"By what factor its 95th percentile of latency may be higher. Default 1.2."`
	Prometheus    string               `yaml:"prometheus" jsonschema_description:"URL of the Prometheus server for the queries."`
	Queries       []Query              `yaml:"queries" jsonschema_description:"Additional Prometheus queries."`
}

// CanaryStep is one traffic weight, and how long it is analyzed.
type CanaryStep struct {
	Weight int               `yaml:"weight" jsonschema:"required,minimum=1,maximum=99" jsonschema_description:"Traffic weight in percent."`
	Bake   delivery.Duration `yaml:"bake" jsonschema:"required" jsonschema_description:"How long this step is analyzed."`
}

// Query is one Prometheus query and the range of passing values.
type Query struct {
	Name  string   `yaml:"name" jsonschema:"required" jsonschema_description:"Name of the query."`
	Query string   `yaml:"query" jsonschema:"required" jsonschema_description:"PromQL expression that returns a single value. {{.Release}}, {{.Running}}, {{.Service}}, {{.Environment}} and {{.Namespace}} are expanded."`
	Min   *float64 `yaml:"min" jsonschema_description:"Minimum value that passes."`
	Max   *float64 `yaml:"max" jsonschema_description:"Maximum value that passes."`
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

// Registry is where model versions are kept: the name of one kind, or one with its
// section.
type Registry struct {
	Kind    extension.Kind
	Section any // nil: the kind has none
}

// Runner is where a command runs: one kind of job runner, with its section.
type Runner struct {
	Kind    extension.Kind
	Section any
	Remote  bool
	Params  step.RunnerParams // as a plan keeps it
	Rates   []delivery.Rate   // what a job may cost; empty: not known
	Priced  string            // key of the prices in the section; empty: there are none
}

// OptionalStep is a step that is enabled by its own section of the file.
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
