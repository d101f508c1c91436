package app

import (
	"fmt"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/plan"
	"github.com/slipway-cd/slipway/internal/port"
)

// The JSON documents of the command line. Scripts depend on the names: add, but never
// rename.

// RunReport is how a run ended.
type RunReport struct {
	Run         delivery.RunID       `json:"run"`
	Release     delivery.ReleaseID   `json:"release"`
	Environment delivery.Environment `json:"environment"`
	Outcome     delivery.Outcome     `json:"outcome"`
	Cause       string               `json:"cause"`
	Hint        string               `json:"hint,omitempty"`
	Image       *RunImage            `json:"image"` // that the run pushed, or that its release has
	Model       *delivery.ModelRef   `json:"model"` // that it registered, or that its release has
	URL         string               `json:"url"`
	RolledBack  *RolledBack          `json:"rolled_back,omitempty"` // what the run went back to
	Seconds     float64              `json:"seconds"`
	Steps       []StepReport         `json:"steps"`

	NotRetrained string `json:"not_retrained,omitempty"` // why it did not train although its inputs changed, and what would
}

// RunImage is the image of a run. A tag is only known of one that was pushed.
type RunImage struct {
	Reference string          `json:"reference"`
	Digest    delivery.Digest `json:"digest"`
	Tag       string          `json:"tag"`
}

// RolledBack is what an environment was rolled back to: nothing, if nothing had been
// deployed before.
type RolledBack struct {
	To delivery.ReleaseID `json:"to"`
}

// StepReport is how a step ended.
type StepReport struct {
	Name    string           `json:"name"`
	Outcome delivery.Outcome `json:"outcome"`
	Cached  bool             `json:"cached"`
	Seconds float64          `json:"seconds"`
	Summary string           `json:"summary,omitempty"`
	Cause   string           `json:"cause,omitempty"`

	Cost *delivery.JobCost `json:"cost,omitempty"` // of the job that it began
}

// ImageStatus is an image as other tools name it.
type ImageStatus struct {
	Reference string          `json:"reference"`
	Digest    delivery.Digest `json:"digest"`
}

// Status describes what is deployed in an environment. Fields without a value are
// empty; nothing is deployed if Release is empty.
type Status struct {
	Environment delivery.Environment `json:"environment"`
	Service     string               `json:"service"`
	Release     delivery.ReleaseID   `json:"release"`
	Instance    delivery.ReleaseID   `json:"instance,omitempty"` // the name under which it runs, if the environment overrides its configuration
	Commit      string               `json:"commit"`
	Dirty       bool                 `json:"dirty,omitempty"`
	Image       ImageStatus          `json:"image"`
	Model       *delivery.ModelRef   `json:"model"`
	URL         string               `json:"url"`
	Since       time.Time            `json:"since,omitzero"`
	By          string               `json:"by"`
	Actor       delivery.Actor       `json:"actor,omitzero"` // who that is; none if several approved it
	Replaced    delivery.ReleaseID   `json:"replaced"`
	Unsigned    bool                 `json:"unsigned,omitempty"` // pending: it is known from a history only that no trusted key has signed
	Health      delivery.Health      `json:"health"`
	Notes       []string             `json:"notes,omitempty"`

	DeploysNothing bool `json:"deploys_nothing,omitempty"` // the environment has no target

	ThisMachineOnly bool `json:"this_machine_only,omitempty"` // the state is shared, but not what is about this environment

	Replicas    []port.Replica        `json:"replicas,omitempty"`
	Drift       []port.Drift          `json:"drift,omitempty"`    // how what is live differs from the record
	Traffic     delivery.ReleaseID    `json:"traffic,omitempty"`  // what has it according to the target: the name under which it runs
	InProgress  *delivery.Deployment  `json:"entering,omitempty"` // deployed, not accepted yet
	Bake        *Bake                 `json:"bake,omitempty"`     // of what is entering
	Held        *delivery.Deployment  `json:"held,omitempty"`     // it failed, and kept the traffic: a person decides
	Quarantined []delivery.Quarantine `json:"quarantined"`
	History     []delivery.Deployment `json:"history"`
	Unfinished  []delivery.RunID      `json:"unfinished,omitempty"` // queued, running, or killed
	Runs        []UnfinishedRun       `json:"runs,omitempty"`       // where the unfinished ones stand
	Waiting     []WaitingRun          `json:"waiting,omitempty"`    // for a decision, oldest first
}

// CountReplicas counts the replicas of what has the traffic, except for those that are
// about to be removed.
func (s Status) CountReplicas() (ready, all int) {
	for _, r := range s.Replicas {
		if r.Release != s.Traffic || r.State == port.ReplicaDraining {
			continue
		}
		if all++; r.State == port.ReplicaReady {
			ready++
		}
	}
	return ready, all
}

// ModelUse describes whether the replicas of what has the traffic have opened the
// model's files; empty: not known.
func (s Status) ModelUse() string {
	opened, known := 0, 0
	for _, r := range s.Replicas {
		if r.Release != s.Traffic || r.State != port.ReplicaReady || r.ModelOpened == port.ModelUseUnknown {
			continue
		}
		if known++; r.ModelOpened == port.ModelOpened {
			opened++
		}
	}
	switch {
	case known == 0:
		return ""
	case opened == 0:
		return "not opened"
	case opened < known:
		return fmt.Sprintf("opened by %d of %d replicas", opened, known)
	}
	return "opened"
}

// FailedReplicas returns the replicas that ended unexpectedly, or do not respond.
func (s Status) FailedReplicas() []port.Replica {
	var out []port.Replica
	for _, r := range s.Replicas {
		if r.State == port.ReplicaBackoff || r.State == port.ReplicaExited || r.State == port.ReplicaUnresponsive {
			out = append(out, r)
		}
	}
	return out
}

// PlanView is what plan commands show: the plan, and its changes to the target as far
// as they are known before anything is built.
type PlanView struct {
	plan.Plan
	Changed  *ChangedFiles `json:"changed,omitempty"`  // files since what is deployed; nil: not known
	Existing *ExistingView `json:"existing,omitempty"` // what serves without a record, and becomes release 0; nil: nothing
	Changes  []port.Change `json:"changes,omitempty"`
	Drift    []port.Drift  `json:"drift,omitempty"`    // how what is live differs from the record; the run undoes it
	Notes    []string      `json:"notes,omitempty"`    // about where the plan's environment is
	Problems []Problem     `json:"problems,omitempty"` // that would make the run fail; without steps they made planning fail
}

// ChangedFiles are the files of a commit that differ from those of a release.
type ChangedFiles struct {
	Since string   `json:"since"`
	Paths []string `json:"paths"`
}
