package plan_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/plan"
	"github.com/slipway-cd/slipway/internal/step"
)

// TestNew_SignsPackedModels where some environment's pods get the model as an image.
func TestNew_SignsPackedModels(t *testing.T) {
	signed := file + "sign: {key: \"${COSIGN_KEY}\"}\n"
	cluster := strings.Replace(signed, "prod: {on: {push: main}, target: {local: {port: 18080}}", "prod: {on: {push: main}, target: {kubernetes: {context: c, namespace: n, registry: \"127.0.0.1:5000\"}}", 1)
	for name, c := range map[string]struct {
		text string
		want bool
	}{
		"here only":               {signed, false},
		"another environment":     {cluster, true},
		"the service loads it":    {strings.Replace(cluster, "approve: auto", "approve: auto\n  deliver: env", 1), false},
		"as a volume, by the way": {strings.Replace(cluster, "approve: auto", "approve: auto\n  deliver: volume", 1), true},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := plan.New(project(t, c.text), plan.Trigger{Environment: "staging"}, facts())
			if err != nil {
				t.Fatal(err)
			}
			found := false
			for _, s := range p.Steps {
				if s.Kind != step.Attest {
					continue
				}
				var w step.AttestParams
				if err := json.Unmarshal(s.Params, &w); err != nil || w.PackModel != c.want {
					t.Errorf("pack_model = %v (%v), want %v", w.PackModel, err, c.want)
				}
				found = true
			}
			if !found {
				t.Error("the plan has no attest step")
			}
		})
	}
}

// TestNew_KeepsLocationsOfStoredPlans holds the form that plans had before targets
// were registered.
func TestNew_KeepsLocationsOfStoredPlans(t *testing.T) {
	text := strings.Replace(file, "target: {local: {port: 18080}}", "target: {kubernetes: {kubeconfig: k, context: c, namespace: n, registry: \"127.0.0.1:5000\", take_over: true}}", 1)
	p, err := plan.New(project(t, text), plan.Trigger{Environment: "prod"}, facts())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range p.Steps {
		if s.Kind != step.Deploy {
			continue
		}
		var got struct {
			Target string         `json:"target"`
			Place  map[string]any `json:"place"`
		}
		if err := json.Unmarshal(s.Params, &got); err != nil {
			t.Fatal(err)
		}
		want := map[string]any{"kubeconfig": "k", "context": "c", "namespace": "n", "registry": "127.0.0.1:5000", "take_over": true}
		if diff := cmp.Diff(want, got.Place); diff != "" || got.Target != "kubernetes" {
			t.Errorf("target %q, place (-want +got):\n%s", got.Target, diff)
		}
	}
}
