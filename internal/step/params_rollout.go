package step

import "github.com/slipway-cd/slipway/internal/delivery"

// RolloutParams say on which target a release runs, and how it is rolled out
// there. They are part of the parameters of deploy, verify, watch and rollback.
type RolloutParams struct {
	Target   string            `json:"target"`           // kind: local, kubernetes...
	Location delivery.Location `json:"place,omitzero"`   // of a target that can be in many places
	Port     int               `json:"port,omitempty"`   // stable port of the service; 0: the target chooses
	Timeout  delivery.Duration `json:"within,omitempty"` // to become ready, and to become healthy; default 1m
	Strategy delivery.Strategy `json:"strategy,omitempty"`

	OnFailure FailurePolicy `json:"on_failure,omitempty"` // default rollback
}

// FailurePolicy is what becomes of a release that failed after it got the traffic.
type FailurePolicy string

// The policies. Hold leaves the traffic where it is, for releases that must not go back
// by themselves: after a migration, the release before may destroy data.
const (
	RollbackOnFailure FailurePolicy = "rollback"
	HoldOnFailure     FailurePolicy = "hold"
)

// Valid reports whether p is a policy, or empty for the default.
func (p FailurePolicy) Valid() bool {
	return p == "" || p == RollbackOnFailure || p == HoldOnFailure
}

// Rollout returns the part that steps on a target share.
func (p RolloutParams) Rollout() RolloutParams { return p }

// ProbeParams say how a release proves that it is healthy.
type ProbeParams struct {
	SuccessThreshold int     `json:"healthy,omitempty"` // consecutive healthy responses, default 3
	Checks           []Check `json:"checks,omitempty"`  // smoke checks
}

// Check is one smoke request, or one look at what the others led to.
type Check struct {
	Name    string            `json:"name"`
	Method  string            `json:"method"`
	Path    string            `json:"path"`
	Headers map[string]string `json:"headers,omitempty"` // ${NAME} in a value is expanded when it is sent
	JSON    string            `json:"json,omitempty"`    // body
	Body    []byte            `json:"body,omitempty"`    // any other body
	File    string            `json:"file,omitempty"`    // that Body was read from, for people
	Status  int               `json:"status"`            // expected
	Expect  []string          `json:"expect,omitempty"`  // CEL over status, body, headers, release, model_version
	// ModelOpened sends no request: after all the others the release must have opened
	// its model's files.
	ModelOpened bool `json:"model_opened,omitempty"`
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
	Workload            delivery.Workload `json:"workload"`
	BaseDigest          delivery.Digest   `json:"base_digest,omitempty"`          // of the release's configuration, as it is in the commit
	ConfigurationDigest delivery.Digest   `json:"configuration_digest,omitempty"` // of that and the overrides

	PolicyDigest delivery.Digest `json:"policy_digest,omitempty"` // of what the environment demands of a release

	Overrides   delivery.Overrides `json:"overrides,omitzero"` // of the environment: they belong to the deployment
	Model       *delivery.ModelRef `json:"model,omitempty"`    // pinned by the plan if none of its steps registers one
	Release     delivery.ReleaseID `json:"release,omitempty"`  // promotion: this recorded release
	Canary      *CanaryParams      `json:"canary,omitempty"`
	RequireScan bool               `json:"scanned,omitempty"` // a recorded release must have passed its scan
	Trust       *TrustParams       `json:"trust,omitempty"`   // the environment's trust policy; nil: none
	Alarms      *AlarmParams       `json:"alarms,omitempty"`  // nil: none
}

// ReleaseWorkload returns the workload of the release that the step makes: what the
// file leaves out has its default.
func (p DeployParams) ReleaseWorkload() delivery.Workload {
	w := p.Workload
	if len(p.Manifests) == 0 {
		w.Replicas = max(1, w.Replicas)
	}
	if w.Health == "" {
		w.Health = "/health"
	}
	return w
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
	Alarms     *AlarmParams      `json:"alarms,omitempty"` // nil: none
}

// WatchThresholds limit what may happen in production during the bake time.
type WatchThresholds struct {
	ErrorRate   float64           `json:"error_rate,omitempty"`   // maximum share of failed requests, default 0.01
	P95         delivery.Duration `json:"p95,omitempty"`          // maximum latency, 0: no limit
	MinRequests int64             `json:"min_requests,omitempty"` // with fewer the traffic is not evaluated, default 1
	NoTraffic   NoTrafficPolicy   `json:"no_traffic,omitempty"`   // default accept
	Restarts    int               `json:"restarts,omitempty"`     // how often replicas may restart
	Unready     delivery.Duration `json:"unready,omitempty"`      // how long too few replicas may be ready; 0: a tenth of the bake time, at least 10s
}

// RollbackParams configures a rollback step: one that a person requested, or the
// undo of a deploy step.
type RollbackParams struct {
	RolloutParams
	ProbeParams
	Release   delivery.ReleaseID `json:"release,omitempty"`  // to roll back to, unless it undoes
	Instance  delivery.ReleaseID `json:"instance,omitempty"` // the name under which it ran in the environment; empty: the newest one
	Overrides delivery.Overrides `json:"overrides,omitzero"` // of the environment: for a release that was never deployed there
	Trust     *TrustParams       `json:"trust,omitempty"`    // the environment's trust policy; nil: none
	Reason    string             `json:"why,omitempty"`      // given by whoever requested it
}

// NoTrafficPolicy is what it means that too few requests arrived to evaluate a
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

// CanaryParams say in which steps a release takes over, and what stops it.
type CanaryParams struct {
	Steps         []CanaryStep    `json:"steps"`                    // ascending
	MinRequests   int64           `json:"min_requests,omitempty"`   // of the candidate in a step, default 50; fewer can't be evaluated
	NoTraffic     NoTrafficPolicy `json:"no_traffic,omitempty"`     // default fail
	ErrorMargin   float64         `json:"error_margin,omitempty"`   // by how much the candidate's error rate may be higher, default 0.01
	LatencyMargin float64         `json:"latency_margin,omitempty"` // by what factor the candidate's p95 may be higher, default 1.2
	Confidence    float64         `json:"confidence,omitempty"`     // default 0.95
	Prometheus    string          `json:"prometheus,omitempty"`     // address
	Restarts      int             `json:"restarts,omitempty"`       // how often the candidate's replicas may restart in a step
	Queries       []QueryParams   `json:"queries,omitempty"`
}

// CanaryStep is one share of the traffic.
type CanaryStep struct {
	Weight int               `json:"weight"` // percent, 1 to 99
	Bake   delivery.Duration `json:"bake"`
}

// QueryParams is a Prometheus query. Query is a template with {{.Release}},
// {{.Running}}, {{.Service}}, {{.Environment}} and {{.Namespace}}.
type QueryParams struct {
	Name  string   `json:"name"`
	Query string   `json:"query"`
	Min   *float64 `json:"min,omitempty"`
	Max   *float64 `json:"max,omitempty"`
}
