package plan_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/plan"
	"github.com/slipway-cd/slipway/internal/step"
)

// promoting is file whose prod promotes from staging, with overrides.
var promoting = strings.Replace(file, "prod: {on: {push: main}, ", "prod: {on: {push: main}, from: staging, deploy: {replicas: 3}, ", 1)

// accepting are the facts of a commit for which staging accepted these.
func accepting(all ...plan.Acceptance) plan.Facts {
	f := facts()
	f.Files, f.Data, f.Accepted = nil, nil, all
	return f
}

// acceptance is a release that staging accepted before these paths changed.
func acceptance(id delivery.ReleaseID, changed ...string) plan.Acceptance {
	model := delivery.ModelRef{Group: "prices", Version: 3, Digest: digest}
	return plan.Acceptance{
		Commit: strings.Repeat("d", 40), Changed: &plan.Changes{Since: string(id), Paths: changed},
		Release: delivery.ReleaseRecord{ID: id, Release: delivery.Release{
			Service: "retail-api", Model: &model, Workload: delivery.Workload{Replicas: 2, Health: "/health"},
		}},
	}
}

// TestNew_PromotesAccepted proves which release a push into an environment with from
// deploys: the one that was accepted for its commit.
func TestNew_PromotesAccepted(t *testing.T) {
	unknown := acceptance(old)
	unknown.Changed = nil
	for name, c := range map[string]struct {
		accepted []plan.Acceptance
		want     delivery.ReleaseID
	}{
		"the newest":                    {[]plan.Acceptance{acceptance(old)}, old},
		"an older one":                  {[]plan.Acceptance{unknown, acceptance(older)}, older},
		"the newer of two":              {[]plan.Acceptance{acceptance(older), acceptance(old)}, older},
		"but for ignored files":         {[]plan.Acceptance{acceptance(old, "README.md", "docs/a.txt")}, old},
		"an older one, the newest docs": {[]plan.Acceptance{acceptance(old, "cmd/api/main.go"), acceptance(older)}, older},
	} {
		t.Run(name, func(t *testing.T) {
			f := accepting(c.accepted...)
			p := newPlan(t, project(t, promoting), plan.Trigger{Event: plan.PushEvent, Branch: "main"}, f)
			if diff := cmp.Diff([]string{"approve", "deploy", "verify", "watch"}, namesOf(p)); diff != "" {
				t.Errorf("steps (-want +got):\n%s", diff)
			}
			with := paramsOf[step.DeployParams](t, p, step.Deploy)
			if p.Purpose != plan.Promote || with.Release != c.want || with.Model.Version != 3 || with.Workload.Replicas != 2 {
				t.Errorf("purpose %s deploys %s with model %v and %d replicas, want the release %s as it was made", p.Purpose, with.Release, with.Model, with.Workload.Replicas, c.want)
			}
			if o := with.Overrides; o.Replicas == nil || *o.Replicas != 3 {
				t.Errorf("overrides %+v, want the environment's", o)
			}
			if p.Commit.SHA != f.Commit.SHA {
				t.Errorf("the plan is for commit %s, want the one that was pushed", p.Commit.SHA)
			}
		})
	}
}

// TestNew_SkipsWhatIsPromoted proves that a release that is deployed already, as the
// environment overrides it, is not deployed again.
func TestNew_SkipsWhatIsPromoted(t *testing.T) {
	plain := strings.Replace(promoting, "deploy: {replicas: 3}, ", "", 1)
	overridden := &delivery.Configuration{Workload: delivery.Workload{Replicas: 3, Health: "/health"}}
	for name, c := range map[string]struct {
		text   string
		change func(*plan.Facts)
		skip   bool
	}{
		"as it was made":           {plain, func(*plan.Facts) {}, true},
		"with the overrides":       {promoting, func(f *plan.Facts) { f.Serving.Config = overridden }, true},
		"without the overrides":    {promoting, func(*plan.Facts) {}, false},
		"with overrides of before": {plain, func(f *plan.Facts) { f.Serving.Config = overridden }, false},
		"another release":          {plain, func(f *plan.Facts) { f.Serving.Release = older }, false},
		"down":                     {plain, func(f *plan.Facts) { f.NotServing = true }, false},
		"another run in the queue": {plain, func(f *plan.Facts) { f.Unfinished = true }, false},
		"nothing deployed":         {plain, func(f *plan.Facts) { f.Serving = nil }, false},
	} {
		t.Run(name, func(t *testing.T) {
			f := accepting(acceptance(old))
			f.Serving = &delivery.Deployment{ID: 7, Environment: "prod", Release: old, State: delivery.Serving}
			c.change(&f)
			p := newPlan(t, project(t, c.text), plan.Trigger{Event: plan.PushEvent, Branch: "main"}, f)
			if (p.Skip != "") != c.skip || (len(p.Steps) == 0) != c.skip || p.Purpose != plan.Promote {
				t.Errorf("skip %q with the steps %v, want skipped = %v", p.Skip, namesOf(p), c.skip)
			}
		})
	}
}

// TestNew_RefusesToPromote holds the messages that say what is missing.
func TestNew_RefusesToPromote(t *testing.T) {
	quarantined := acceptance(old)
	quarantined.Release.Quarantined = &delivery.Quarantine{Release: old, Reason: "slow", Since: noon}
	unknown := acceptance(old)
	unknown.Changed = nil
	for name, c := range map[string]struct {
		trigger  plan.Trigger
		accepted []plan.Acceptance
		kind     fault.Kind
		want     string
		hint     string
	}{
		"nothing accepted":    {plan.Trigger{}, nil, fault.NotFound, "staging has not accepted a release of commit 1111111; it has not accepted any release", "slipway run --env staging"},
		"of another commit":   {plan.Trigger{}, []plan.Acceptance{acceptance(old, "cmd/api/main.go")}, fault.NotFound, "staging has not accepted a release of commit 1111111; it accepted " + string(old) + " of ddddddd", "--deploy-only"},
		"slipway.yaml":        {plan.Trigger{}, []plan.Acceptance{acceptance(old, "slipway.yaml")}, fault.NotFound, "it accepted " + string(old), ""},
		"of unknown changes":  {plan.Trigger{}, []plan.Acceptance{unknown}, fault.NotFound, "it accepted " + string(old), ""},
		"quarantined":         {plan.Trigger{}, []plan.Acceptance{quarantined}, fault.Conflict, "has been quarantined", "unquarantine"},
		"retrain":             {plan.Trigger{Retrain: true}, []plan.Acceptance{acceptance(old)}, fault.Invalid, "it accepts neither --retrain, --rebuild nor --model", "run them in staging"},
		"rebuild":             {plan.Trigger{Rebuild: true}, []plan.Acceptance{acceptance(old)}, fault.Invalid, "it accepts neither --retrain, --rebuild nor --model", "run them in staging"},
		"model":               {plan.Trigger{Model: "prices:3"}, []plan.Acceptance{acceptance(old)}, fault.Invalid, "it accepts neither --retrain, --rebuild nor --model", "run them in staging"},
		"until a build":       {plan.Trigger{Until: "build"}, []plan.Acceptance{acceptance(old)}, fault.Invalid, `step "build" not found`, "approve"},
		"deploy-only without": {plan.Trigger{DeployOnly: true}, nil, fault.NotFound, "staging has not accepted any release", "slipway run --env staging"},
	} {
		t.Run(name, func(t *testing.T) {
			c.trigger.Environment = "prod"
			_, err := plan.New(project(t, promoting), c.trigger, accepting(c.accepted...))
			if !fault.Is(err, c.kind) || !strings.Contains(err.Error(), c.want) || !strings.Contains(fault.HintOf(err), c.hint) {
				t.Errorf("got %v (hint %q), want %s: %s (%s)", err, fault.HintOf(err), c.kind, c.want, c.hint)
			}
		})
	}
}

// TestNew_RollsBackWherePromoted proves that from does not stand in the way of a rollback.
func TestNew_RollsBackWherePromoted(t *testing.T) {
	p := newPlan(t, project(t, promoting), plan.Trigger{Environment: "prod", Rollback: true}, serving())
	if !slices.Equal(namesOf(p), []string{"rollback", "verify"}) {
		t.Errorf("steps %v, want a rollback", namesOf(p))
	}
}
