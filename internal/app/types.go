package app

import (
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
	URL         string               `json:"url,omitempty"`
	Seconds     float64              `json:"seconds"`
	Steps       []StepReport         `json:"steps"`
}

// StepReport is how a step ended.
type StepReport struct {
	Name    string           `json:"name"`
	Outcome delivery.Outcome `json:"outcome"`
	Cached  bool             `json:"cached"`
	Seconds float64          `json:"seconds"`
	Summary string           `json:"summary,omitempty"`
	Cause   string           `json:"cause,omitempty"`
}

// ImageStatus is an image as other tools name it.
type ImageStatus struct {
	Reference string          `json:"reference"`
	Digest    delivery.Digest `json:"digest"`
}

// Status describes what is deployed in an environment. Fields without a value are
// empty; nothing is deployed if Release is empty.
type Status struct {
	Environment delivery.Environment  `json:"environment"`
	Service     string                `json:"service"`
	Release     delivery.ReleaseID    `json:"release"`
	Instance    delivery.ReleaseID    `json:"instance,omitempty"` // the name under which it runs, if the environment overrides its configuration
	Commit      string                `json:"commit"`
	Dirty       bool                  `json:"dirty,omitempty"`
	Image       ImageStatus           `json:"image"`
	Model       *delivery.ModelRef    `json:"model"`
	URL         string                `json:"url"`
	Since       time.Time             `json:"since,omitzero"`
	By          string                `json:"by"`
	Actor       delivery.Actor        `json:"actor,omitzero"` // who that is; none if several approved it
	Replaced    delivery.ReleaseID    `json:"replaced"`
	Health      delivery.Health       `json:"health"`
	Notes       []string              `json:"notes,omitempty"`
	Replicas    []port.Replica        `json:"replicas,omitempty"`
	InProgress  *delivery.Deployment  `json:"entering,omitempty"` // deployed, not accepted yet
	Quarantined []delivery.Quarantine `json:"quarantined"`
	History     []delivery.Deployment `json:"history"`
	Unfinished  []delivery.RunID      `json:"unfinished,omitempty"` // queued, running, or killed
	Waiting     []WaitingRun          `json:"waiting,omitempty"`    // for a decision, oldest first
}

// PlanView is what plan commands show: the plan, and its changes to the target as far
// as they are known before anything is built.
type PlanView struct {
	plan.Plan
	Changes []port.Change `json:"changes,omitempty"`
}
