package plan

import (
	"encoding/json"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/step"
)

// Names of the steps that a plan has at most one of: those of their kinds.
const (
	buildStep    = string(step.Build)
	scanStep     = string(step.Scan)
	pushStep     = string(step.Push)
	trainStep    = string(step.Train)
	evaluateStep = string(step.Evaluate)
	registerStep = string(step.Register)
	attestStep   = string(step.Attest)
	approveStep  = string(step.Approve)
	deployStep   = string(step.Deploy)
	verifyStep   = string(step.Verify)
	watchStep    = string(step.Watch)
	rollbackStep = string(step.Rollback)
)

// Timeouts of steps for which the file sets none.
const (
	testTimeout     = delivery.Duration(30 * time.Minute)
	buildTimeout    = delivery.Duration(30 * time.Minute)
	scanTimeout     = delivery.Duration(30 * time.Minute)
	pushTimeout     = delivery.Duration(30 * time.Minute)
	trainTimeout    = delivery.Duration(24 * time.Hour)
	evaluateTimeout = delivery.Duration(2 * time.Hour)
	registerTimeout = delivery.Duration(10 * time.Minute)
	attestTimeout   = delivery.Duration(10 * time.Minute)
	deployTimeout   = delivery.Duration(15 * time.Minute)
	gracePeriod     = delivery.Duration(time.Minute) // beyond the timeout that a step enforces itself
)

// pushRetries is how often a request to a registry is retried.
const pushRetries = 3

// add appends a step that always runs.
func (pl *planner) add(s step.Spec, with any) {
	raw, err := json.Marshal(with)
	if err != nil {
		raw = []byte("null") // Validate refuses the plan: it can't happen with our own types
	}
	s.Params = raw
	if s.Action == "" {
		s.Action = step.ActionRun
	}
	pl.plan.Steps = append(pl.plan.Steps, s)
}
