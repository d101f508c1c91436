package train

import (
	"slices"
	"testing"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest/fake"
	"github.com/slipway-cd/slipway/internal/step"
)

// elsewhere is a runner that keeps the job it was given.
type elsewhere struct {
	*fake.Jobs
	job port.Job
}

func (e *elsewhere) Mounts(j port.Job) (map[string][]string, error) {
	e.job = j
	return e.Jobs.Mounts(j)
}

func TestRun_Elsewhere(t *testing.T) {
	s := newScene(t, `test -z "$HTTP_PROXY" && test "$MINE" = yes && echo x > {{.Output}}/model.bin`)
	s.w.Env = map[string]string{"MINE": "yes", "HOME": "/root"}
	s.w.On = &step.RunnerParams{Kind: "kubernetes", Remote: true}
	s.step.Environ = func() []string { return []string{"PATH=/usr/local/bin", "HTTP_PROXY=http://proxy", "HOME=/home/ana"} }
	there := &elsewhere{Jobs: s.jobs}
	var asked step.RunnerParams
	s.step.Jobs, s.step.JobsOn = nil, func(on step.RunnerParams) (port.Jobs, error) {
		asked = on
		return there, nil
	}
	res, out, err := s.run(t)
	if err != nil || res.Outcome != delivery.OutcomeSucceeded || out.Job == "" {
		t.Fatalf("outcome = %s (%q), error = %v; log:\n%s", res.Outcome, res.Cause, err, s.log.String())
	}
	if asked.Kind != "kubernetes" {
		t.Errorf("runner = %+v, want that of the parameters", asked)
	}
	root, _ := s.r.Checkout(t.Context())
	if paths, err := there.job.Inputs[checkoutInput].Paths(); err != nil || !slices.Equal(paths, []string{root}) {
		t.Errorf("checkout among the inputs = %q, error = %v, want %s", paths, err, root)
	}
}
