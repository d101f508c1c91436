package plan_test

import (
	"encoding/json"
	"strings"
	"testing"

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
		p, err := plan.New(project(t, c.text), plan.Trigger{Environment: "staging"}, facts())
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		found := false
		for _, s := range p.Steps {
			if s.Kind != step.Attest {
				continue
			}
			var w step.AttestParams
			if err := json.Unmarshal(s.Params, &w); err != nil || w.PackModel != c.want {
				t.Errorf("%s: %+v, %v", name, w, err)
			}
			found = true
		}
		if !found {
			t.Errorf("%s: nothing is signed", name)
		}
	}
}
