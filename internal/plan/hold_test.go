package plan_test

import (
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/plan"
	"github.com/slipway-cd/slipway/internal/step"
)

// TestNew_OnFailure: the policy is in the parameters of the deployment, which its undo
// gets, and in what the plan says about the bake.
func TestNew_OnFailure(t *testing.T) {
	for _, policy := range []step.FailurePolicy{"", step.RollbackOnFailure, step.HoldOnFailure} {
		text := file
		if policy != "" {
			text = strings.Replace(file, "deploy:\n", "deploy:\n  on_failure: "+string(policy)+"\n", 1)
		}
		p := newPlan(t, project(t, text), plan.Trigger{Environment: "prod"}, facts())
		holds := policy == step.HoldOnFailure
		for _, s := range p.Steps {
			if s.Kind != step.Deploy && s.Kind != step.Watch {
				continue
			}
			params, err := step.ParamsOf[step.RollbackParams](s)
			if err != nil || (params.OnFailure == step.HoldOnFailure) != holds {
				t.Errorf("%q: OnFailure of step %s = %q, %v", policy, s.Name, params.OnFailure, err)
			}
			if s.Kind == step.Watch && strings.Contains(s.Reason, "keeps the traffic") != holds {
				t.Errorf("%q: reason of step %s = %q", policy, s.Name, s.Reason)
			}
		}
	}
}

// TestNew_RollbackOfHeld goes back to what was accepted last, not to the one before it.
func TestNew_RollbackOfHeld(t *testing.T) {
	f := serving()
	f.Held = &delivery.Deployment{Release: "r-eeeeeeeeeeee", State: delivery.Held}
	p := newPlan(t, project(t, file), plan.Trigger{Environment: "prod", Rollback: true}, f)
	params, err := step.ParamsOf[step.RollbackParams](p.Steps[0])
	if err != nil || params.Release != f.Serving.Release || params.Instance != f.Serving.Instance() {
		t.Errorf("rolls back to %s (%s), %v, want %s", params.Release, params.Instance, err, f.Serving.Release)
	}
	if want := "rolls back from r-eeeeeeeeeeee to " + string(f.Serving.Release); p.Steps[0].Reason != want {
		t.Errorf("reason = %q, want %q", p.Steps[0].Reason, want)
	}
}
