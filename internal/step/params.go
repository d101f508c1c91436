package step

import (
	"encoding/json"
	"fmt"
	"path"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
)

// ParamsOf decodes the parameters of a step.
func ParamsOf[T any](s Spec) (T, error) {
	var params T
	if len(s.Params) == 0 {
		return params, nil
	}
	if err := json.Unmarshal(s.Params, &params); err != nil {
		return params, fmt.Errorf("read the parameters of step %s: %w", s.Name, err)
	}
	return params, nil
}

// ReportFormat is how a test command reports what it did.
type ReportFormat string

// The formats. JUnit is a file at {{.Report}}; Go is `go test -json` on stdout;
// Ruff is `ruff check --output-format json`, on stdout or at {{.Report}}.
const (
	NoReport ReportFormat = ""
	JUnit    ReportFormat = "junit"
	GoTest   ReportFormat = "go"
	Ruff     ReportFormat = "ruff"
)

// Lock files are recognized by their names.
const (
	UVLock      = "uv.lock"
	PoetryLock  = "poetry.lock"
	PipfileLock = "Pipfile.lock"
	CondaLock   = "conda-lock.yml"
)

// PythonParams describe an isolated Python environment. At most one of Requirements
// and Lock is set: a file relative to the checkout.
type PythonParams struct {
	Requirements string   `json:"requirements,omitempty"`
	Lock         string   `json:"lock,omitempty"`
	Packages     []string `json:"packages,omitempty"` // pip's requirements, besides the file's
	Version      string   `json:"version,omitempty"`  // 3.11; empty: the first Python in PATH
}

// File is the one that the environment is made from; empty with Packages alone.
func (p PythonParams) File() string { return p.Requirements + p.Lock }

// LockKind is the name that tells the format of the lock file; empty without one.
func (p PythonParams) LockKind() string {
	if p.Lock == "" {
		return ""
	}
	return path.Base(p.Lock)
}

// BoxKind is what a command of the repository runs in. The empty one is no box: it runs
// as the user of Slipway, with all that this user may do.
type BoxKind string

// The kinds. A result with AutoBox is the same for machines that can make a box and for
// those that can't; its output has OwnBox if there was one.
const (
	OwnBox  BoxKind = "own" // see port.Box
	AutoBox BoxKind = "auto"
)

// TestParams configures a test step. Run is a template; see job.Vars.
type TestParams struct {
	Run        string            `json:"run"`
	Dir        string            `json:"dir,omitempty"` // relative to the checkout
	Env        map[string]string `json:"env,omitempty"` // values may be "${NAME}": looked up in the environment at run time
	Report     ReportFormat      `json:"report,omitempty"`
	AllowEmpty bool              `json:"allow_empty,omitempty"` // a report without tests passes
	Python     *PythonParams     `json:"python,omitempty"`
	Box        BoxKind           `json:"box,omitempty"`
}

// BuildParams configures a build step, with Go or with a Dockerfile.
type BuildParams struct {
	Go         string            `json:"go"` // main package; "" with a Dockerfile
	Env        map[string]string `json:"env,omitempty"`
	Repository string            `json:"repository"`

	Dockerfile string            `json:"dockerfile,omitempty"` // path; this and the folder relative to the checkout
	Context    string            `json:"context,omitempty"`    // folder; default: the checkout
	Target     string            `json:"target,omitempty"`
	Args       map[string]string `json:"args,omitempty"`
	Secrets    map[string]string `json:"secrets,omitempty"` // id -> "${NAME}": only ever the reference
	SSH        bool              `json:"ssh,omitempty"`
	Platforms  []string          `json:"platforms,omitempty"`
	Cache      string            `json:"cache,omitempty"` // repository

	Docker bool `json:"docker,omitempty"` // the image is for linux/amd64 alone, in Docker's format

	NoLookup bool `json:"no_lookup,omitempty"` // build even if the registry has an image of the same inputs

	Kind    string          `json:"kind,omitempty"`    // of builder, when it is neither go nor dockerfile
	Options json.RawMessage `json:"options,omitempty"` // of that builder
}

// ScanParams configures a scan step.
type ScanParams struct {
	Repository  string              `json:"repository"`             // name of the image to scan
	Scanner     string              `json:"with"`                   // kind of the scanner
	Also        []string            `json:"also,omitempty"`         // more scanners: what either finds counts
	Create      bool                `json:"create,omitempty"`       // a scanner in a registry may create the repository
	FailOn      []delivery.Severity `json:"fail_on"`                // the lowest of these severities and all above it fail; UNKNOWN only if it is listed
	FixableOnly bool                `json:"fixable_only,omitempty"` // findings without a fix do not fail
	Waive       []Waiver            `json:"waive,omitempty"`
	VEX         []string            `json:"vex,omitempty"`         // OpenVEX documents, relative to the checkout
	MaxAge      delivery.Duration   `json:"max_age"`               // of the database
	Unavailable UnavailablePolicy   `json:"unavailable,omitempty"` // default fail
}

// UnavailablePolicy is what it means that an image could not be scanned.
type UnavailablePolicy string

// The policies.
const (
	AcceptUnavailable UnavailablePolicy = "accept"
	FailUnavailable   UnavailablePolicy = "fail"
)

// Waiver accepts one vulnerability until a date.
type Waiver struct {
	ID      string `json:"id"`                // or an alias of it
	Package string `json:"package,omitempty"` // empty: in any
	Until   string `json:"until"`             // 2006-01-02: the last day, in UTC
	Reason  string `json:"why"`
}

// PushParams configures a push step.
type PushParams struct {
	Repository string `json:"repository"`
	TagInputs  bool   `json:"tag_inputs,omitempty"` // tag the image by its inputs, so that it is found
	Rebuild    bool   `json:"rebuild,omitempty"`    // the image replaces another one of the same inputs

	Create bool     `json:"create,omitempty"` // a repository that does not exist, where the registry can
	Tags   []string `json:"tags,omitempty"`   // more of them, which are moved to the image
}

// TrainParams configures a train step.
type TrainParams struct {
	Run        string            `json:"run"`
	Dir        string            `json:"dir,omitempty"` // relative to the checkout
	Env        map[string]string `json:"env,omitempty"`
	Data       []string          `json:"data,omitempty"` // absolute paths, and URIs of Datasets
	DataDigest delivery.Digest   `json:"data_digest,omitempty"`
	DatasetParams

	Python *PythonParams `json:"python,omitempty"`
	Box    BoxKind       `json:"box,omitempty"`
	On     *RunnerParams `json:"on,omitempty"` // nil: this machine
}

// RunnerParams are where a command runs.
type RunnerParams struct {
	Kind    string          `json:"kind"`
	Section json.RawMessage `json:"section,omitempty"`
	Remote  bool            `json:"remote,omitempty"` // it inherits nothing of this machine's environment
}

// EvaluateParams configures an evaluate step: a command, or a file with metrics among
// the model's files.
type EvaluateParams struct {
	Run        string            `json:"run"`
	File       string            `json:"file,omitempty"` // instead of Run: relative to the model's folder
	Dir        string            `json:"dir,omitempty"`  // relative to the checkout
	Env        map[string]string `json:"env,omitempty"`
	Data       []string          `json:"data,omitempty"`
	DataDigest delivery.Digest   `json:"data_digest,omitempty"`
	DatasetParams
	Gates      []string `json:"gates,omitempty"`
	RowsMetric string   `json:"rows,omitempty"` // metric that counts evaluated rows; default "rows" when present
	Note       string   `json:"note,omitempty"` // about where the metrics come from: part of every gate's evidence

	Python *PythonParams `json:"python,omitempty"`
	Box    BoxKind       `json:"box,omitempty"`
	On     *RunnerParams `json:"on,omitempty"` // nil: this machine
}

// RegisterParams configures a register step.
type RegisterParams struct {
	Group string `json:"group"`
	SBOM  bool   `json:"bill,omitempty"` // generate the SBOMs of the model: they will be signed
}

// ApproveParams configures an approve step. Model: the registered model must be
// approved, automatically if Auto. DeployApprovals is how many people must
// approve the deployment.
type ApproveParams struct {
	Model           bool   `json:"model,omitempty"`
	Group           string `json:"group,omitempty"`
	Auto            bool   `json:"auto,omitempty"`
	DeployApprovals int    `json:"deploy,omitempty"`
	// Approvers are lists of people: one counts that is in all of them.
	Approvers [][]string `json:"approvers,omitempty"`
	// Alarms end the wait when one of them is raised; nil: none.
	Alarms *AlarmParams `json:"alarms,omitempty"`
}

// AttestParams configures an attest step. Key and Passphrase are "${NAME}": their
// values are looked up in the environment at run time, and are in no plan.
type AttestParams struct {
	Key        string `json:"key,omitempty"` // empty: keyless, with the CI's identity
	Passphrase string `json:"passphrase,omitempty"`
	Fulcio     string `json:"fulcio,omitempty"`
	Rekor      string `json:"rekor,omitempty"`
	Timestamps string `json:"timestamps,omitempty"`

	Build     json.RawMessage    `json:"build,omitempty"`    // the image's configuration, for its provenance
	Train     json.RawMessage    `json:"training,omitempty"` // the model's, likewise
	Model     *delivery.ModelRef `json:"model,omitempty"`    // pinned by the plan when no step of it makes one
	PackModel bool               `json:"pack,omitempty"`     // pods get the model as an image, which is signed as well
}

// What an environment's trust policy can require of a release.
const (
	RequireSignature  = "signature"
	RequireProvenance = "provenance"
	RequireSBOM       = "sbom"
)

// TrustParams are an environment's trust policy.
type TrustParams struct {
	port.TrustPolicy
	Require []string `json:"require"`
	Images  []string `json:"images,omitempty"` // of the manifests, that need no signature; * matches any characters
}
