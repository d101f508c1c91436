package plan_test

import (
	"encoding/json"
	"flag"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/catalog"
	"github.com/slipway-cd/slipway/internal/config"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/plan"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/step"
)

var update = flag.Bool("update", false, "write the golden files")

const file = `
version: 1
service: retail-api
source: {ignore: ["**.md", "docs/**"]}
test:
  - {name: vet, run: go vet ./...}
  - {name: unit, run: "go test -json ./...", report: go, timeout: 5m}
image: {build: {go: ./cmd/api}, repository: retail-api}
model:
  group: prices
  data: [data.csv]
  train: {run: "train {{.Data}} {{.Output}}", inputs: ["cmd/train/**", go.mod], timeout: 1h}
  evaluate: {run: "evaluate {{.Data}} {{.Model}} {{.Metrics}}", inputs: ["cmd/evaluate/**"], gates: [accuracy >= 0.8]}
  approve: auto
deploy:
  smoke: [{name: predict, post: /predict, json: {b: [1, {x: null}], a: 1}, expect: ["body.class == 'LA'"]}]
environments:
  dev: {on: {pull_request: main}, target: {local: {}}}
  staging: {on: {push: [develop, "release/**"]}, target: {local: {port: 18081}}, bake: 5s}
  prod: {on: {push: main}, target: {local: {port: 18080}}, approvals: 1, bake: 5m}
`

func project(t testing.TB, text string) config.Project {
	t.Helper()
	p, err := config.Parse("slipway.yaml", []byte(text), nil, catalog.Default())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

const (
	old    = delivery.ReleaseID("r-0123456789ab")
	older  = delivery.ReleaseID("r-ba9876543210")
	digest = delivery.Digest("sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef")
)

var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

func blob(n int) string { return strings.Repeat(string(rune('a'+n)), 40) }

// facts are those of a first delivery.
func facts() plan.Facts {
	var files []port.File
	for i, name := range []string{"README.md", "cmd/api/main.go", "cmd/evaluate/main.go", "cmd/train/main.go", "docs/a.txt"} {
		files = append(files, port.File{Path: name, Mode: "100644", Blob: blob(i)})
	}
	files = append(files, port.File{Path: "go.mod", Mode: "100644", Blob: blob(5)}, port.File{Path: "slipway.yaml", Mode: "100644", Blob: blob(1)})
	return plan.Facts{
		Run: "20261124-120000-abcd", Files: files, Data: []plan.Data{{Path: "/srv/data.csv", Digest: digest}},
		Commit: delivery.Commit{SHA: strings.Repeat("1", 40), Tree: strings.Repeat("2", 40), Branch: "main", Time: noon},
	}
}

// serving are those of a later one, after these paths changed.
func serving(changed ...string) plan.Facts {
	f := facts()
	model := delivery.ModelRef{Group: "prices", Version: 3, Digest: digest}
	release := func(id delivery.ReleaseID) *delivery.ReleaseRecord {
		return &delivery.ReleaseRecord{ID: id, Digest: digest, Run: "20261123-120000-abcd", Release: delivery.Release{
			Schema: delivery.ReleaseForm, Service: "retail-api", Model: &model,
			Workload: delivery.Workload{Replicas: 2, Health: "/health"},
		}, Origin: delivery.Origin{Run: "20261123-120000-abcd", Commit: strings.Repeat("3", 40), Tree: strings.Repeat("4", 40)}}
	}
	f.Serving = &delivery.Deployment{ID: 7, Environment: "prod", Release: old, State: delivery.Serving}
	f.ServingRelease, f.LastGood, f.NewestGood = release(old), release(older), release(old)
	f.Changed = &plan.Changes{Since: string(old), Paths: changed}
	f.Champion = &delivery.ModelVersion{ModelRef: model, Status: delivery.Approved, Lineage: delivery.Lineage{Data: digest}}
	return f
}

// all recalls every step but those named.
func all(but ...string) func(step.Spec, map[string]json.RawMessage) (step.Result, bool) {
	return func(s step.Spec, given map[string]json.RawMessage) (step.Result, bool) {
		if s.Kind == step.Evaluate && string(given["train"]) != `{"of":"train"}` {
			return step.Result{}, false
		}
		return step.Result{Output: json.RawMessage(`{"of":"` + s.Name + `"}`), Ended: noon}, !slices.Contains(but, s.Name)
	}
}

func TestNew_Golden(t *testing.T) {
	pinned := strings.Replace(file, file[strings.Index(file, "  data:"):strings.Index(file, "deploy:")], "", 1)
	plain := pinned[:strings.Index(pinned, "model:")] + pinned[strings.Index(pinned, "deploy:"):]
	approved := serving("cmd/api/main.go")
	approved.LatestApproved = &delivery.ModelVersion{ModelRef: delivery.ModelRef{Group: "prices", Version: 4, Digest: digest}, Status: delivery.Approved}
	chosen := serving("cmd/api/main.go", "cmd/train/main.go")
	chosen.RequestedModel = &delivery.ModelVersion{ModelRef: delivery.ModelRef{Group: "prices", Version: 2, Digest: digest}, Status: delivery.Approved}
	scanned := plain + "scan: {waive: [{id: CVE-1, until: 2026-12-01, why: w}], max_age: 24h}\n"
	cached := serving("cmd/api/main.go")
	cached.CachedResult = all("build", "test.unit", "test.vet")
	signed := strings.Replace(file, "approvals: 1", "approvals: 1, trust: {keys: [keys/cosign.pub], identities: [{issuer: https://token.example.com, subject: https://github.com/o/r/*}], require: [signature, provenance]}", 1) +
		"sign: {key: \"${COSIGN_KEY}\", passphrase: \"${COSIGN_PASSWORD}\"}\n"
	trusted := facts()
	trusted.TrustFiles = map[string]string{"keys/cosign.pub": "-----BEGIN PUBLIC KEY-----"}
	requests := strings.Replace(file, "smoke: [", `smoke: [
    {name: text, post: /text, headers: {Authorization: "Bearer ${TOKEN}"}, body: "a,b"}, {name: image, put: /image, file: tests/a.png}, {name: opened, model_opened: true}, `, 1)
	sent := facts()
	sent.SmokeFiles = map[string]string{"tests/a.png": "\x89PNG"}
	cases := map[string]struct {
		file    string
		trigger plan.Trigger
		facts   plan.Facts
	}{
		"first":        {file, plan.Trigger{Event: "push", Branch: "main", By: "ada"}, facts()},
		"code":         {file, plan.Trigger{Event: "push", Branch: "main"}, cached},
		"retrain":      {file, plan.Trigger{Event: "push", Branch: "release/1", Retrain: true}, cached},
		"docs":         {file, plan.Trigger{Event: "push", Branch: "main"}, serving("README.md", "docs/a.txt")},
		"until":        {file, plan.Trigger{Event: "push", Branch: "main", Until: "evaluate"}, facts()},
		"until-tests":  {file, plan.Trigger{Event: "pull_request", Branch: "main", Until: "test"}, facts()},
		"promote":      {file, plan.Trigger{Environment: "prod", DeployOnly: true}, serving()},
		"rollback":     {file, plan.Trigger{Environment: "prod", Rollback: true, Why: "wrong prices"}, serving()},
		"pinned":       {pinned, plan.Trigger{Event: "push", Branch: "main"}, approved},
		"model":        {file, plan.Trigger{Event: "push", Branch: "main", Model: "prices:2"}, chosen},
		"scan":         {scanned, plan.Trigger{Event: "push", Branch: "main"}, facts()},
		"scan-accept":  {strings.Replace(scanned, "prod: {", "prod: {scan: {unavailable: accept}, ", 1), plan.Trigger{Event: "push", Branch: "main", Until: "push"}, facts()},
		"scan-promote": {scanned, plan.Trigger{Environment: "prod", DeployOnly: true}, serving()},
		"no-model":     {plain, plan.Trigger{Event: "pull_request", Branch: "main"}, facts()},
		"smoke":        {requests, plan.Trigger{Event: "push", Branch: "main"}, sent},
		"sign":         {signed, plan.Trigger{Event: "push", Branch: "main"}, trusted},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			p, err := plan.New(project(t, c.file), c.trigger, c.facts)
			if err != nil {
				t.Fatal(err)
			}
			got, err := json.MarshalIndent(p, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			golden := "testdata/" + name + ".json"
			if *update {
				if err := os.WriteFile(golden, append(got, '\n'), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if diff := cmp.Diff(string(want), string(got)+"\n"); err != nil || diff != "" {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
			sound(t, p)
			var back plan.Plan
			if err := json.Unmarshal(got, &back); err != nil || plan.Validate(back, catalog.Default().StepKinds()) != nil {
				t.Errorf("the stored plan is not valid: %v, %v", err, plan.Validate(back, catalog.Default().StepKinds()))
			}
		})
	}
}

// sound checks what holds for every plan.
func sound(t *testing.T, p plan.Plan) {
	t.Helper()
	before := map[string]bool{}
	for _, s := range p.Steps {
		if before[s.Name] {
			t.Errorf("%s is there twice", s.Name)
		}
		for _, n := range append(slices.Clone(s.Needs), s.Reads...) {
			if !before[n] {
				t.Errorf("%s needs %s, which does not come before it", s.Name, n)
			}
		}
		if s.Reason == "" {
			t.Errorf("%s does not say why", s.Name)
		}
		if s.Cacheable != s.Inputs.Valid() || s.Cacheable && s.Reads == nil {
			t.Errorf("%s: cacheable %v with inputs %q, reads %v", s.Name, s.Cacheable, s.Inputs, s.Reads)
		}
		before[s.Name] = true
	}
}

func TestNew_Errors(t *testing.T) {
	quarantined := serving()
	quarantined.NewestGood.Quarantined = &delivery.Quarantine{Release: old, Reason: "error rate 0.4", Since: noon}
	quarantined.LastGood.Quarantined = quarantined.NewestGood.Quarantined
	wanted := serving()
	wanted.Requested = wanted.ServingRelease
	alone := serving()
	alone.LastGood = nil
	two := strings.Replace(file, "{push: [develop, \"release/**\"]}", "{push: \"m*\"}", 1)
	pending := facts()
	pending.LatestApproved = &delivery.ModelVersion{ModelRef: delivery.ModelRef{Group: "prices", Version: 4}, Status: delivery.PendingApproval}
	pinned := strings.Replace(file, file[strings.Index(file, "  data:"):strings.Index(file, "deploy:")], "", 1)
	requested := func(group string, status delivery.ModelStatus) plan.Facts {
		f := facts()
		f.RequestedModel = &delivery.ModelVersion{ModelRef: delivery.ModelRef{Group: group, Version: 2, Digest: digest}, Status: status}
		return f
	}
	plain := pinned[:strings.Index(pinned, "model:")] + pinned[strings.Index(pinned, "deploy:"):]
	cases := []struct {
		name       string
		file       string
		trigger    plan.Trigger
		facts      plan.Facts
		kind       fault.Kind
		says, hint string
	}{
		{"unknown environment", file, plan.Trigger{Environment: "prd"}, facts(), fault.NotFound, `environment "prd" not found`, `did you mean "prod"?`},
		{"no environment", file, plan.Trigger{Event: "push", Branch: "feature"}, facts(), fault.Invalid, "no environment is configured for push to feature", "staging (push to develop, release/**)"},
		{"wrong event", file, plan.Trigger{Event: "pull_request", Branch: "develop"}, facts(), fault.Invalid, "pull requests to develop", "--env"},
		{"detached", file, plan.Trigger{Event: "push"}, facts(), fault.Invalid, "runs without a branch", "--env"},
		{"two environments", two, plan.Trigger{Event: "push", Branch: "main"}, facts(), fault.Invalid, "prod and staging", "--env"},
		{"unknown step", file, plan.Trigger{Environment: "prod", Until: "evalute"}, facts(), fault.Invalid, `step "evalute" not found`, `did you mean "evaluate"?`},
		{"retrain a release", file, plan.Trigger{Environment: "prod", Retrain: true, DeployOnly: true}, facts(), fault.Invalid, "--deploy-only", "drop"},
		{"retrain nothing", pinned, plan.Trigger{Environment: "prod", Retrain: true}, facts(), fault.Invalid, "has no model.train section", ""},
		{"nothing to promote", file, plan.Trigger{Environment: "prod", DeployOnly: true}, facts(), fault.NotFound, "no accepted release", "slipway run"},
		{"quarantined promotion", file, plan.Trigger{Environment: "prod", DeployOnly: true}, quarantined, fault.Conflict, "error rate 0.4", "unquarantine"},
		{"quarantined rollback", file, plan.Trigger{Environment: "prod", Rollback: true}, quarantined, fault.Conflict, "has been quarantined since 2026-11-24 12:00", "unquarantine"},
		{"rollback of nothing", file, plan.Trigger{Environment: "prod", Rollback: true}, facts(), fault.Conflict, "nothing is deployed", "--deploy-only"},
		{"rollback to nothing", file, plan.Trigger{Environment: "prod", Rollback: true}, alone, fault.NotFound, "no accepted release before", "--to"},
		{"rollback to unknown", file, plan.Trigger{Environment: "prod", Rollback: true, To: older}, serving(), fault.NotFound, "release " + string(older) + " not found", "slipway releases"},
		{"rollback to what serves", file, plan.Trigger{Environment: "prod", Rollback: true, To: old}, wanted, fault.Conflict, "is already deployed", "--to"},
		{"rollback to nonsense", file, plan.Trigger{Environment: "prod", Rollback: true, To: "latest"}, serving(), fault.Invalid, `"latest" is not a valid release ID`, "slipway releases"},
		{"release without rollback", file, plan.Trigger{Environment: "prod", To: old}, serving(), fault.Invalid, "only a rollback", ""},
		{"until deploy", file, plan.Trigger{Environment: "prod", Until: "deploy"}, facts(), fault.Invalid, "unverified release", "--until push"},
		{"rollback until", file, plan.Trigger{Environment: "prod", Rollback: true, Until: "verify"}, serving(), fault.Invalid, "a rollback cannot be combined", ""},
		{"no approved model", pinned, plan.Trigger{Environment: "prod"}, pending, fault.NotFound, "model prices has no approved version", "slipway approve"},
		{"pending model", file, plan.Trigger{Environment: "prod", Model: "prices:2"}, requested("prices", delivery.PendingApproval), fault.Denied, "model prices:2 is not approved (PendingManualApproval)", "slipway approve prices:2"},
		{"rejected model", pinned, plan.Trigger{Environment: "prod", Model: "prices:2"}, requested("prices", delivery.Rejected), fault.Denied, "not approved (Rejected)", "slipway approve prices:2"},
		{"another group's model", file, plan.Trigger{Environment: "prod", Model: "fraud:2"}, requested("fraud", delivery.Approved), fault.Invalid, "delivers models of the group prices", "--group prices"},
		{"unknown model", file, plan.Trigger{Environment: "prod", Model: "prices:9"}, facts(), fault.NotFound, "model prices:9 not found", "slipway models"},
		{"model without a section", plain, plan.Trigger{Environment: "prod", Model: "prices:2"}, requested("prices", delivery.Approved), fault.Invalid, "has no model section", ""},
		{"model and retraining", file, plan.Trigger{Environment: "prod", Model: "prices:2", Retrain: true}, requested("prices", delivery.Approved), fault.Invalid, "--model cannot be combined", "drop"},
		{"model of a promotion", file, plan.Trigger{Environment: "prod", Model: "prices:2", DeployOnly: true}, requested("prices", delivery.Approved), fault.Invalid, "--model cannot be combined", "drop"},
		{"until a step that --model leaves out", file, plan.Trigger{Environment: "prod", Model: "prices:2", Until: "train"}, requested("prices", delivery.Approved), fault.Invalid, `step "train" not found`, ""},
		{"inputs match nothing", strings.Replace(file, "cmd/train/**", "cmd/trian/**", 1), plan.Trigger{Environment: "prod"}, facts(), fault.Invalid, `model.train.inputs: "cmd/trian/**" matches no file`, "available: README.md, cmd/**"},
		{"bad run", file, plan.Trigger{Environment: "prod"}, plan.Facts{Run: "../x", Files: facts().Files}, fault.Internal, "../x", ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := plan.New(project(t, c.file), c.trigger, c.facts)
			if !fault.Is(err, c.kind) || !strings.Contains(err.Error(), c.says) || !strings.Contains(fault.HintOf(err), c.hint) {
				t.Errorf("%v (hint %q), want %s: %s (%s)", err, fault.HintOf(err), c.kind, c.says, c.hint)
			}
		})
	}
}

// TestNew_FilesBesideTheService: source.also makes them inputs like the service's own.
func TestNew_FilesBesideTheService(t *testing.T) {
	text := strings.Replace(file, `source: {ignore: ["**.md", "docs/**"]}`, `source: {ignore: ["**.md", "docs/**", "../lib/docs/**"], also: ["../lib/**"]}`, 1)
	text = strings.Replace(text, `inputs: ["cmd/train/**", go.mod]`, `inputs: ["cmd/train/**", "../lib/train/**"]`, 1)
	trigger := plan.Trigger{Event: plan.PushEvent, Branch: "main"}
	with := func(f plan.Facts, n int) plan.Facts {
		for i, name := range []string{"../lib/a.py", "../lib/docs/x.txt", "../lib/train/t.py"} {
			f.Files = append(f.Files, port.File{Path: name, Mode: "100644", Blob: blob(6 + i*n)})
		}
		return f
	}
	of := func(f plan.Facts) map[string]step.Spec {
		p, err := plan.New(project(t, text), trigger, f)
		if err != nil {
			t.Fatal(err)
		}
		out := map[string]step.Spec{}
		for _, s := range p.Steps {
			out[s.Name] = s
		}
		return out
	}
	if p, err := plan.New(project(t, text), trigger, with(serving("../lib/a.py"), 1)); err != nil || p.Skip != "" {
		t.Errorf("a change only beside the service: skipped %q, %v, want a run", p.Skip, err)
	}
	before, after := of(with(facts(), 1)), of(with(facts(), 2))
	for _, name := range []string{"test.vet", "build", "train"} {
		if before[name].Inputs == after[name].Inputs {
			t.Errorf("%s: the files beside the service are no inputs", name)
		}
	}
	if before["evaluate"].Inputs != after["evaluate"].Inputs {
		t.Error("evaluate: files that its inputs do not name count")
	}
	if reason := of(with(serving("../lib/a.py"), 1))["test.vet"].Reason; !strings.Contains(reason, "../lib/a.py changed") {
		t.Errorf("reason %q, want the file that changed", reason)
	}
	_, err := plan.New(project(t, text), trigger, facts())
	if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), `source.also[0]: "../lib/**" matches no file`) {
		t.Errorf("error = %v, want one about the glob", err)
	}
}
