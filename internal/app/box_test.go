package app

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/config"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/plan"
	"github.com/slipway-cd/slipway/internal/policy"
	"github.com/slipway-cd/slipway/internal/step"
)

// TestBox: what commands run in, by the file, the policy and the machine.
func TestBox(t *testing.T) {
	reason := fault.New(fault.Denied, "run the command in a box: user.max_user_namespaces = 0 forbids it").Hint("sysctl")
	none, own := plan.Box{Kind: plan.NoBox}, plan.Box{Kind: "own"}
	tests := step.Spec{Name: "test.unit", Kind: step.Test, Action: step.ActionRun}
	cached := step.Spec{Name: "test.unit", Kind: step.Test, Action: step.ActionCached}
	for _, c := range []struct {
		name     string
		file     string
		required bool
		machine  error
		step     step.Spec
		kind     step.BoxKind
		box      plan.Box
		refused  string
	}{
		{"nothing", "", false, nil, tests, "", none, ""},
		{"none", "none", false, nil, tests, "", none, ""},
		{"auto", "auto", false, nil, tests, step.AutoBox, own, ""},
		{"auto on a machine without", "auto", false, reason, tests, step.AutoBox, plan.Box{Kind: plan.NoBox, Reason: reason.Error()}, ""},
		{"own", "own", false, nil, tests, step.OwnBox, own, ""},
		{"own on a machine without", "own", false, reason, tests, step.OwnBox, own, "needs a box (box: own)"},
		{"own, cached, on a machine without", "own", false, reason, cached, step.OwnBox, own, ""},
		{"policy", "none", true, nil, tests, step.OwnBox, own, ""},
		{"policy and auto on a machine without", "auto", true, reason, tests, step.OwnBox, own, "needs a box (the policy /etc/p)"},
		{"training elsewhere", "own", false, reason, step.Spec{Name: "train", Kind: step.Train, Action: step.ActionRun, Params: []byte(`{"on":{"kind":"kubernetes"}}`)}, step.OwnBox, own, ""},
		{"metrics of training", "own", false, reason, step.Spec{Name: "evaluate", Kind: step.Evaluate, Params: []byte(`{"file":"metrics.json"}`)}, step.OwnBox, own, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &session{app: &App{}, project: config.Project{Box: c.file}, deps: Dependencies{CheckBox: func(context.Context) error { return c.machine }}}
			if c.required {
				s.policy = policy.Policy{}.With("/etc/p", policy.Document{Require: policy.Require{Box: true}})
			}
			var f plan.Facts
			if err := s.findBox(t.Context(), &f, "prod"); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]any{c.kind, c.box}, []any{f.BoxKind, f.Box}); diff != "" {
				t.Errorf("box (-want +got):\n%s", diff)
			}
			err := s.checkBoxed(plan.Plan{Box: f.Box, Steps: []step.Spec{c.step}})
			switch {
			case c.refused == "" && err != nil:
				t.Errorf("error = %v, want none", err)
			case c.refused != "" && (!fault.Is(err, fault.Denied) || !strings.Contains(err.Error(), c.refused) || !strings.Contains(err.Error(), "max_user_namespaces") || fault.HintOf(err) == ""):
				t.Errorf("error = %v (hint %q), want %s with %q, the reason and its hint", err, fault.HintOf(err), fault.Denied, c.refused)
			}
		})
	}
}
