package plan_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/plan"
	"github.com/slipway-cd/slipway/internal/step"
)

// TestNew_BuildsDockerfiles: a plan holds how the image is built, with the names of secrets
// and nothing else of them.
func TestNew_BuildsDockerfiles(t *testing.T) {
	const text = `
version: 1
service: api
image:
  repository: mlops/api
  build: {dockerfile: server/Dockerfile, context: server, target: run, args: {A: b}, secrets: {pip: "${PIP}"}, ssh: true, platforms: [linux/arm64], cache: r.example.com/c}
environments: {prod: {target: {local: {}}}}
`
	p, err := plan.New(project(t, text), plan.Trigger{Event: "push", Environment: "prod", By: "tester", Until: "build"}, facts())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range p.Steps {
		if s.Kind != step.Build {
			continue
		}
		const want = `{"go":"","repository":"mlops/api","dockerfile":"server/Dockerfile","context":"server","target":"run",` +
			`"args":{"A":"b"},"secrets":{"pip":"${PIP}"},"ssh":true,"platforms":["linux/arm64"],"cache":"r.example.com/c"}`
		if diff := cmp.Diff(want, string(s.Params)); diff != "" {
			t.Errorf("parameters (-want +got):\n%s", diff)
		}
		if !s.Cacheable || !s.Inputs.Valid() {
			t.Errorf("cacheable %v with inputs %q", s.Cacheable, s.Inputs)
		}
		return
	}
	t.Errorf("the plan has no build step: %d steps", len(p.Steps))
}
