package delivery

import "time"

// Verdict is the result of a gate. A gate that could not be evaluated has not
// passed.
type Verdict string

// The verdicts.
const (
	Passed      Verdict = "passed"
	Failed      Verdict = "failed"
	Unavailable Verdict = "unavailable" // investigate: it could not be evaluated
)

// GateResult is a gate's verdict with its evidence.
type GateResult struct {
	Gate     string  `json:"gate"` // "evaluate: accuracy >= 0.8"
	Verdict  Verdict `json:"verdict"`
	Evidence string  `json:"evidence,omitempty"` // "accuracy = 0.87"
	Unknown  Unknown `json:"-"`
}

// DeploymentState is the state of a release in an environment.
type DeploymentState string

// The states. At most one deployment of an environment is Serving in the
// records; the one that is Deploying has not been accepted yet.
const (
	Deploying  DeploymentState = "deploying"
	Serving    DeploymentState = "serving"
	Replaced   DeploymentState = "replaced"    // a later release took its place
	RolledBack DeploymentState = "rolled_back" // it failed in production; quarantined
	Cancelled  DeploymentState = "cancelled"   // undone because the run was cancelled
	Stuck      DeploymentState = "stuck"       // the rollback failed, or the repair of what serves: a person must look
	Held       DeploymentState = "held"        // it failed in production and kept the traffic: a person must decide
	Removed    DeploymentState = "removed"     // `slipway down`
)

// Deployment is a release entering an environment, and what became of it.
type Deployment struct {
	ID          int64           `json:"id"`
	Environment Environment     `json:"environment"`
	Release     ReleaseID       `json:"release"`
	Run         RunID           `json:"run"`
	State       DeploymentState `json:"state"`
	By          string          `json:"by"`                 // who approved it, or else started the run
	Actor       Actor           `json:"actor,omitzero"`     // who that is; none if several approved it
	Replaced    ReleaseID       `json:"replaced,omitempty"` // what served before
	Reason      string          `json:"reason,omitempty"`   // why it came, or why it left
	Commit      string          `json:"commit,omitempty"`   // that the run delivered
	Config      *Configuration  `json:"config,omitempty"`   // as the environment overrides the release's; nil: the release's own
	Inputs      Inputs          `json:"inputs,omitzero"`    // of the release and this configuration
	StartedAt   time.Time       `json:"started_at"`
	ServingAt   time.Time       `json:"serving_at,omitzero"`
	EndedAt     time.Time       `json:"ended_at,omitzero"`
	Unsigned    bool            `json:"unsigned,omitempty"` // of a history that no trusted key has signed: pending
	Unknown     Unknown         `json:"-"`
}

// Instance returns the name under which the target runs the deployed release.
func (d Deployment) Instance() ReleaseID { return d.Release.With(d.Config) }

// Collides reports whether the release with the configuration has the name of the deployed
// one and is another: a name has 24 bits of a configuration, and a person can find two with
// the same in a moment.
func (d Deployment) Collides(r ReleaseID, c *Configuration) bool {
	return d.Instance() == r.With(c) && digestOfConfiguration(d.Config) != digestOfConfiguration(c)
}

func digestOfConfiguration(c *Configuration) Digest {
	if c == nil {
		return ""
	}
	return c.Digest()
}

// Health is the state of the service in an environment.
type Health string

// The states of a service.
const (
	Healthy       Health = "healthy"  // every replica of the recorded release is ready
	Degraded      Health = "degraded" // some replicas are not ready, or the release is not the recorded one
	Down          Health = "down"     // no replica is ready
	UnknownHealth Health = "unknown"  // the target is unreachable
)

// Outcome is how a step or a run ended.
type Outcome string

// Outcomes of steps: Succeeded, OutcomeFailed, OutcomeWaiting, OutcomeCancelled and
// OutcomeSkipped. Outcomes of runs: Deployed, OutcomeSkipped, OutcomeFailed,
// OutcomeRolledBack, OutcomeWaiting, OutcomeCancelled and OutcomeRollbackFailed. A run that was
// cut short with --until and did all it was asked ends as Succeeded.
const (
	OutcomeSucceeded      Outcome = "succeeded"
	OutcomeDeployed       Outcome = "deployed"
	OutcomeSkipped        Outcome = "skipped"
	OutcomeFailed         Outcome = "failed"
	OutcomeRolledBack     Outcome = "rolled_back"
	OutcomeRollbackFailed Outcome = "rollback_failed"
	OutcomeWaiting        Outcome = "waiting"
	OutcomeCancelled      Outcome = "cancelled"
)
