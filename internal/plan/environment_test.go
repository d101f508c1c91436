package plan_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/config"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/plan"
	"github.com/slipway-cd/slipway/internal/step"
)

// stages is file with environments that choose their stages.
var stages = file[:strings.Index(file, "environments:")] + `sign: {key: "${COSIGN_KEY}"}
environments:
  dev: {on: {pull_request: main}, until: build}
  nightly: {until: register, model: {train: {timeout: 2h}, gates: [accuracy >= 0.9]}}
  signed: {until: attest, model: {train: false}}
  staging:
    on: {push: develop}
    target: {local: {port: 18081}}
    deploy: {env: {LEVEL: debug}, replicas: 2, memory: 64Mi, smoke: [{name: own, get: /own}]}
  prod: {on: {push: main}, target: {local: {port: 18080}}, model: {train: false}}
`

func namesOf(p plan.Plan) []string {
	var names []string
	for _, s := range p.Steps {
		names = append(names, s.Name)
	}
	return names
}

func newPlan(t *testing.T, p config.Project, trigger plan.Trigger, f plan.Facts) plan.Plan {
	t.Helper()
	made, err := plan.New(p, trigger, f)
	if err != nil {
		t.Fatal(err)
	}
	sound(t, made)
	return made
}

func paramsOf[P any](t *testing.T, p plan.Plan, kind step.Kind) P {
	t.Helper()
	i := slices.IndexFunc(p.Steps, func(s step.Spec) bool { return s.Kind == kind })
	if i < 0 {
		t.Fatalf("the plan has no step of kind %s: %v", kind, namesOf(p))
	}
	params, err := step.ParamsOf[P](p.Steps[i])
	if err != nil {
		t.Fatal(err)
	}
	return params
}

// TestNew_UntilOfEnvironment proves where the plans of environments end, and that one
// that only builds needs no approved model.
func TestNew_UntilOfEnvironment(t *testing.T) {
	approved := facts()
	approved.LatestApproved = &delivery.ModelVersion{ModelRef: delivery.ModelRef{Group: "prices", Version: 4, Digest: digest}, Status: delivery.Approved}
	for name, c := range map[string]struct {
		trigger plan.Trigger
		want    []string
	}{
		"dev by pull request": {plan.Trigger{Event: plan.PullRequestEvent, Branch: "main"}, []string{"test.vet", "test.unit", "build"}},
		"dev, until build":    {plan.Trigger{Environment: "dev", Until: "build"}, []string{"build"}},
		"nightly":             {plan.Trigger{Environment: "nightly"}, []string{"test.vet", "test.unit", "train", "evaluate", "register"}},
		"nightly, earlier":    {plan.Trigger{Environment: "nightly", Until: "train"}, []string{"test.vet", "test.unit", "train"}},
		"signed":              {plan.Trigger{Environment: "signed"}, []string{"test.vet", "test.unit", "build", "push", "attest"}},
		"prod":                {plan.Trigger{Environment: "prod"}, []string{"test.vet", "test.unit", "build", "push", "attest", "deploy", "verify", "watch"}},
	} {
		t.Run(name, func(t *testing.T) {
			f := facts()
			if name == "prod" {
				f = approved
			}
			p := newPlan(t, project(t, stages), c.trigger, f)
			if diff := cmp.Diff(c.want, namesOf(p)); diff != "" {
				t.Errorf("steps (-want +got):\n%s", diff)
			}
		})
	}
}

// TestNew_MergesModel proves that an environment trains by its own settings.
func TestNew_MergesModel(t *testing.T) {
	p := newPlan(t, project(t, stages), plan.Trigger{Environment: "nightly"}, facts())
	if got := paramsOf[step.EvaluateParams](t, p, step.Evaluate).Gates; !slices.Equal(got, []string{"accuracy >= 0.9"}) {
		t.Errorf("gates %q, want the environment's", got)
	}
	i := slices.Index(namesOf(p), "train")
	if got := p.Steps[i].Timeout.String(); got != "2h0m0s" {
		t.Errorf("training has the timeout %s, want the environment's", got)
	}
}

// TestNew_Overrides proves that what an environment changes stands apart from the
// configuration that all share.
func TestNew_Overrides(t *testing.T) {
	two, memory := 2, int64(64<<20)
	p := newPlan(t, project(t, stages), plan.Trigger{Environment: "staging"}, facts())
	got := paramsOf[step.DeployParams](t, p, step.Deploy)
	want := delivery.Overrides{Env: map[string]string{"LEVEL": "debug"}, Replicas: &two, Memory: &memory}
	if diff := cmp.Diff(want, got.Overrides); diff != "" {
		t.Errorf("overrides (-want +got):\n%s", diff)
	}
	if w := got.Workload; w.Replicas != 1 || w.Memory != 0 || len(w.Env) != 0 {
		t.Errorf("workload %+v, want the common one", w)
	}
	for _, checks := range [][]step.Check{got.Checks, paramsOf[step.VerifyParams](t, p, step.Verify).Checks} {
		if len(checks) != 1 || checks[0].Name != "own" {
			t.Errorf("smoke checks %+v, want the environment's", checks)
		}
	}
	t.Run("by rollback", func(t *testing.T) {
		p := newPlan(t, project(t, stages), plan.Trigger{Environment: "staging", Rollback: true}, serving())
		if checks := paramsOf[step.RollbackParams](t, p, step.Rollback).Checks; len(checks) != 1 || checks[0].Name != "own" {
			t.Errorf("smoke checks %+v, want the environment's", checks)
		}
	})
	t.Run("manifests set the replicas", func(t *testing.T) {
		text := strings.Replace(stages, "target: {local: {port: 18080}}", "target: {kubernetes: {context: c, namespace: n, registry: \"127.0.0.1:5000\"}}, deploy: {manifests: [k8s]}", 1)
		f := facts()
		f.LatestApproved = &delivery.ModelVersion{ModelRef: delivery.ModelRef{Group: "prices", Version: 4, Digest: digest}, Status: delivery.Approved}
		o := paramsOf[step.DeployParams](t, newPlan(t, project(t, text), plan.Trigger{Environment: "prod"}, f), step.Deploy).Overrides
		if o.Replicas == nil || *o.Replicas != 0 || !slices.Equal(o.Manifests, []string{"k8s"}) {
			t.Errorf("overrides %+v, want the manifests without a number of replicas", o)
		}
	})
	t.Run("stored plans have none", func(t *testing.T) {
		p := newPlan(t, project(t, file), plan.Trigger{Environment: "prod"}, facts())
		for _, s := range p.Steps {
			var keys map[string]json.RawMessage
			if err := json.Unmarshal(s.Params, &keys); err != nil || keys["overrides"] != nil {
				t.Errorf("step %s has overrides %s (%v)", s.Name, keys["overrides"], err)
			}
		}
	})
}

// TestNew_RefusesWithoutTarget holds what an environment that deploys nothing, or does
// not train, can't do.
func TestNew_RefusesWithoutTarget(t *testing.T) {
	for name, c := range map[string]struct {
		trigger plan.Trigger
		want    string
	}{
		"rollback":           {plan.Trigger{Environment: "dev", Rollback: true}, "environment dev deploys nothing: its runs end after build"},
		"promotion":          {plan.Trigger{Environment: "dev", DeployOnly: true}, "environment dev deploys nothing"},
		"retrain":            {plan.Trigger{Environment: "prod", Retrain: true}, "--retrain: environments.prod.model.train is false"},
		"later step":         {plan.Trigger{Environment: "dev", Until: "register"}, `--until: step "register" not found`},
		"no model to deploy": {plan.Trigger{Environment: "prod"}, "model prices has no approved version"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := plan.New(project(t, stages), c.trigger, facts())
			if err == nil || !strings.Contains(err.Error(), c.want) || fault.HintOf(err) == "" {
				t.Errorf("got %v (hint %q), want %s", err, fault.HintOf(err), c.want)
			}
		})
	}
}

func TestSelectEnvironment_FromCI(t *testing.T) {
	p := project(t, `
version: 1
service: api
image: {build: {go: .}, repository: api}
environments:
  dev: {on: {pull_request: [main, develop]}, until: build}
  open: {on: {push: release/*, dispatch: any}, target: {local: {}}}
  named: {target: {local: {}}}
  prod: {on: {push: main}, target: {local: {}}}
  tagged: {on: {tag: v*}, target: {local: {}}}
`)
	push := func(branch string) *plan.CI { return &plan.CI{Name: "github", Event: plan.PushEvent, Branch: branch} }
	pull := func(base string) *plan.CI {
		return &plan.CI{Name: "github", Event: plan.PullRequestEvent, Branch: base}
	}
	tag := &plan.CI{Name: "github", Event: plan.PushEvent, Tag: "main"}
	released := &plan.CI{Name: "github", Event: plan.PushEvent, Tag: "v1"}
	for name, c := range map[string]struct {
		trigger plan.Trigger
		denied  string
	}{
		"a person":                     {plan.Trigger{Environment: "prod", Branch: "feature"}, ""},
		"its branch":                   {plan.Trigger{Environment: "prod", CI: push("main")}, ""},
		"another branch":               {plan.Trigger{Environment: "prod", CI: push("feature")}, "does not accept push to feature from a CI"},
		"a branch that options claim":  {plan.Trigger{Environment: "prod", Branch: "main", CI: push("feature")}, "does not accept push to feature"},
		"selected by a claimed branch": {plan.Trigger{Event: plan.PushEvent, Branch: "main", CI: push("feature")}, "does not accept push to feature"},
		"a pull request":               {plan.Trigger{Environment: "prod", CI: pull("main")}, "does not accept pull requests to main"},
		"a pull request to dev":        {plan.Trigger{Environment: "dev", CI: pull("main")}, ""},
		"a push to dev":                {plan.Trigger{Environment: "dev", CI: push("main")}, "does not accept push to main"},
		"a tag":                        {plan.Trigger{Environment: "prod", CI: tag}, "does not accept tag main"},
		"its tag":                      {plan.Trigger{Environment: "tagged", CI: released}, ""},
		"selected by its tag":          {plan.Trigger{Event: plan.PushEvent, Tag: "v1", CI: released}, ""},
		"another tag":                  {plan.Trigger{Environment: "tagged", CI: tag}, "does not accept tag main"},
		"a tag that options claim":     {plan.Trigger{Event: plan.PushEvent, Tag: "v1", CI: tag}, "does not accept tag main"},
		"a branch of a tag's name":     {plan.Trigger{Environment: "tagged", CI: push("v1")}, "does not accept push to v1"},
		"no branch":                    {plan.Trigger{Environment: "prod", CI: push("")}, "does not accept runs without a branch"},
		"any dispatch":                 {plan.Trigger{Environment: "open", CI: push("feature")}, ""},
		"any dispatch of a tag":        {plan.Trigger{Environment: "open", CI: tag}, ""},
		"without branches":             {plan.Trigger{Environment: "named", CI: push("feature")}, ""},
		"rollback":                     {plan.Trigger{Environment: "prod", Rollback: true, CI: push("feature")}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := plan.SelectEnvironment(p, c.trigger)
			if c.denied == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if !fault.Is(err, fault.Denied) || !strings.Contains(err.Error(), c.denied) || !strings.Contains(fault.HintOf(err), "on.dispatch: any") {
				t.Errorf("got %v (hint %q), want %s: %s", err, fault.HintOf(err), fault.Denied, c.denied)
			}
		})
	}
}

// TestNew_ServicePort holds how the port and the root file system come into the
// workload: without the keys the plan is as before they existed.
func TestNew_ServicePort(t *testing.T) {
	for _, c := range []struct {
		deploy   string
		port     int
		writable bool
	}{
		{"", 0, false},
		{"  port: 8000\n  read_only: true\n", 8000, false},
		{"  port: 0\n  read_only: false\n", delivery.AnyPort, true},
	} {
		t.Run(fmt.Sprintf("%q", c.deploy), func(t *testing.T) {
			text := strings.Replace(stages, "deploy:\n", "deploy:\n"+c.deploy, 1)
			w := paramsOf[step.DeployParams](t, newPlan(t, project(t, text), plan.Trigger{Environment: "staging"}, facts()), step.Deploy).Workload
			if w.Port != c.port || w.Writable != c.writable {
				t.Errorf("workload %+v, want port %d, writable %v", w, c.port, c.writable)
			}
		})
	}
}
