package step

import (
	"encoding/json"
	"fmt"

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

// UVLock is the name of the lock file that uv writes.
const UVLock = "uv.lock"

// PythonParams asks for an isolated Python environment. One of Requirements and
// Lock is set: a file relative to the checkout.
type PythonParams struct {
	Requirements string `json:"requirements,omitempty"`
	Lock         string `json:"lock,omitempty"`    // uv.lock
	Version      string `json:"version,omitempty"` // 3.11; empty: the first Python in PATH
}

// File is what the environment is made from.
func (p PythonParams) File() string { return p.Requirements + p.Lock }

// TestParams configures a test step. Run is a template; see Vars.
type TestParams struct {
	Run        string            `json:"run"`
	Dir        string            `json:"dir,omitempty"` // relative to the checkout
	Env        map[string]string `json:"env,omitempty"` // values may be "${NAME}": taken from the environment when it runs
	Report     ReportFormat      `json:"report,omitempty"`
	AllowEmpty bool              `json:"allow_empty,omitempty"` // a report with no test is fine
	Python     *PythonParams     `json:"python,omitempty"`
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

	Kind    string          `json:"kind,omitempty"`    // of builder, when it is neither go nor dockerfile
	Options json.RawMessage `json:"options,omitempty"` // of that builder
}

// ScanParams configures a scan step.
type ScanParams struct {
	Repository  string              `json:"repository"`             // what the image will be called
	Scanner     string              `json:"with"`                   // the scanner: grype | trivy
	FailOn      []delivery.Severity `json:"fail_on"`                // the least of them and all that is worse fail; UNKNOWN only if it is named
	FixableOnly bool                `json:"fixable_only,omitempty"` // what nobody can fix does not fail
	Waive       []Waiver            `json:"waive,omitempty"`
	VEX         []string            `json:"vex,omitempty"`         // OpenVEX documents, relative to the checkout
	MaxAge      delivery.Duration   `json:"max_age"`               // of the database
	Unavailable UnavailablePolicy   `json:"unavailable,omitempty"` // default fail
}

// UnavailablePolicy says what to do when the image could not be scanned.
type UnavailablePolicy string

// The policies.
const (
	FailUnavailable   UnavailablePolicy = "fail"
	AcceptUnavailable UnavailablePolicy = "accept"
)

// Waiver lets one vulnerability pass for a while.
type Waiver struct {
	ID      string `json:"id"`                // or an alias of it
	Package string `json:"package,omitempty"` // empty: in any
	Until   string `json:"until"`             // 2006-01-02: the last day, in UTC
	Reason  string `json:"why"`
}

// PushParams configures a push step.
type PushParams struct {
	Repository string `json:"repository"`
}

// TrainParams configures a training step.
type TrainParams struct {
	Run        string            `json:"run"`
	Env        map[string]string `json:"env,omitempty"`
	Data       []string          `json:"data,omitempty"` // absolute paths
	DataDigest delivery.Digest   `json:"data_digest,omitempty"`

	Python *PythonParams `json:"python,omitempty"`
}

// EvaluateParams configures an evaluation step.
type EvaluateParams struct {
	Run        string            `json:"run"`
	Env        map[string]string `json:"env,omitempty"`
	Data       []string          `json:"data,omitempty"`
	DataDigest delivery.Digest   `json:"data_digest,omitempty"`
	Gates      []string          `json:"gates,omitempty"`
	RowsMetric string            `json:"rows,omitempty"` // metric that counts evaluated rows; default "rows" when present

	Python *PythonParams `json:"python,omitempty"`
}

// RegisterParams configures a registration step.
type RegisterParams struct {
	Group string `json:"group"`
	SBOM  bool   `json:"bill,omitempty"` // write its bills of materials: they are to be signed
}

// ApproveParams configures the approval step. Model: the registered model must be
// approved, by itself when Auto. Deploy counts the persons who must let the run
// into the environment.
type ApproveParams struct {
	Model           bool   `json:"model,omitempty"`
	Group           string `json:"group,omitempty"`
	Auto            bool   `json:"auto,omitempty"`
	DeployApprovals int    `json:"deploy,omitempty"`
}

// RolloutParams say on which target a release runs, and how it is rolled out
// there. They are part of the parameters of deploy, verify, watch and rollback.
type RolloutParams struct {
	Target   string            `json:"target"`           // kind: local, kubernetes...
	Location delivery.Location `json:"place,omitzero"`   // of a target that can be in many places
	Port     int               `json:"port,omitempty"`   // stable port of the service; 0: the target chooses
	Timeout  delivery.Duration `json:"within,omitempty"` // to become ready, and to become healthy; default 1m
	Strategy delivery.Strategy `json:"strategy,omitempty"`
}

// Rollout returns the part that steps on a target share.
func (p RolloutParams) Rollout() RolloutParams { return p }

// ProbeParams say how a release proves that it is healthy.
type ProbeParams struct {
	SuccessThreshold int     `json:"healthy,omitempty"` // consecutive healthy responses, default 3
	Checks           []Check `json:"checks,omitempty"`  // smoke checks
}

// Check is one smoke request.
type Check struct {
	Name   string   `json:"name"`
	Method string   `json:"method"`
	Path   string   `json:"path"`
	JSON   string   `json:"json,omitempty"`   // body
	Status int      `json:"status"`           // expected
	Expect []string `json:"expect,omitempty"` // CEL over status, body, headers, release, model_version
}

// ManifestParams say what a release's objects are rendered from.
type ManifestParams struct {
	Manifests     []string               `json:"manifests,omitempty"` // relative to the checkout
	Values        []string               `json:"values,omitempty"`    // values files of Helm charts
	ModelDelivery delivery.ModelDelivery `json:"deliver,omitempty"`   // how the model gets into the pods
}

// DeployParams configures a deploy step. Its undo step gets the same parameters,
// and reads them as RollbackParams.
type DeployParams struct {
	RolloutParams
	ProbeParams
	ManifestParams
	Workload    delivery.Workload  `json:"workload"`
	Model       *delivery.ModelRef `json:"model,omitempty"`   // pinned by the plan if none of its steps registers one
	Release     delivery.ReleaseID `json:"release,omitempty"` // promotion: this recorded release
	Canary      *CanaryParams      `json:"canary,omitempty"`
	RequireScan bool               `json:"scanned,omitempty"` // a recorded release must have passed its scan
	Trust       *TrustParams       `json:"trust,omitempty"`   // the environment's trust policy; nil: none
}

// VerifyParams configures a verify step.
type VerifyParams struct {
	RolloutParams
	ProbeParams
	Release delivery.ReleaseID `json:"release,omitempty"` // if no step of the run deployed one
}

// WatchParams configures a watch step.
type WatchParams struct {
	RolloutParams
	Bake       delivery.Duration `json:"bake,omitempty"`
	Thresholds WatchThresholds   `json:"watch,omitzero"`
}

// WatchThresholds limit what may happen in production during the bake time.
type WatchThresholds struct {
	ErrorRate   float64           `json:"error_rate,omitempty"`   // maximum share of failed requests, default 0.01
	P95         delivery.Duration `json:"p95,omitempty"`          // maximum latency, 0: no limit
	MinRequests int64             `json:"min_requests,omitempty"` // with fewer the traffic is not evaluated, default 1
	NoTraffic   NoTrafficPolicy   `json:"no_traffic,omitempty"`   // default accept
}

// RollbackParams configures a rollback step: one that a person requested, or the
// undo of a deploy step.
type RollbackParams struct {
	RolloutParams
	ProbeParams
	Release delivery.ReleaseID `json:"release,omitempty"` // to roll back to, unless it undoes
	Trust   *TrustParams       `json:"trust,omitempty"`   // the environment's trust policy; nil: none
	Reason  string             `json:"why,omitempty"`     // given by whoever requested it
}

// NoTrafficPolicy says what it means that too few requests arrived to evaluate a
// release. The default differs: a watch accepts it, a canary fails.
type NoTrafficPolicy string

// The policies.
const (
	AcceptNoTraffic NoTrafficPolicy = "accept"
	FailNoTraffic   NoTrafficPolicy = "fail"
)

// Valid reports whether p is a policy, or empty for the default.
func (p NoTrafficPolicy) Valid() bool {
	return p == "" || p == AcceptNoTraffic || p == FailNoTraffic
}

// CanaryParams says in which steps a release takes over, and what stops it.
type CanaryParams struct {
	Steps         []CanaryStep    `json:"steps"`                    // ascending
	MinRequests   int64           `json:"min_requests,omitempty"`   // of the candidate in a step, default 50: fewer are not enough
	NoTraffic     NoTrafficPolicy `json:"no_traffic,omitempty"`     // default fail
	ErrorMargin   float64         `json:"error_margin,omitempty"`   // by how much its error rate may be higher, default 0.01
	LatencyMargin float64         `json:"latency_margin,omitempty"` // by what factor its p95 may be higher, default 1.2
	Confidence    float64         `json:"confidence,omitempty"`     // default 0.95
	Prometheus    string          `json:"prometheus,omitempty"`     // address
	Queries       []QueryParams   `json:"queries,omitempty"`
}

// CanaryStep is one share of the traffic.
type CanaryStep struct {
	Weight int               `json:"weight"` // percent, 1 to 99
	Bake   delivery.Duration `json:"bake"`
}

// QueryParams is a question to Prometheus. Query is a template with {{.Release}},
// {{.Running}}, {{.Service}}, {{.Environment}} and {{.Namespace}}.
type QueryParams struct {
	Name  string   `json:"name"`
	Query string   `json:"query"`
	Min   *float64 `json:"min,omitempty"`
	Max   *float64 `json:"max,omitempty"`
}

// AttestParams configures the step that signs. Key and Passphrase are "${NAME}":
// their values are taken from the environment when it runs, and are in no plan.
type AttestParams struct {
	Key        string `json:"key,omitempty"` // empty: the identity that the CI vouches for
	Passphrase string `json:"passphrase,omitempty"`
	Fulcio     string `json:"fulcio,omitempty"`
	Rekor      string `json:"rekor,omitempty"`
	Timestamps string `json:"timestamps,omitempty"`

	Build     json.RawMessage    `json:"build,omitempty"`    // what the file says of the image, for its provenance
	Train     json.RawMessage    `json:"training,omitempty"` // and of the model
	Model     *delivery.ModelRef `json:"model,omitempty"`    // pinned by the plan when no step of it makes one
	PackModel bool               `json:"pack,omitempty"`     // pods get the model as an image: that is signed, too
}

// What an environment can demand of a release.
const (
	RequireSignature  = "signature"
	RequireProvenance = "provenance"
	RequireSBOM       = "sbom"
)

// TrustParams is an environment's trust policy.
type TrustParams struct {
	port.TrustPolicy
	Require []string `json:"require"`
}
