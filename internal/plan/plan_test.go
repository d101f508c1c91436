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
	p, err := config.Parse("slipway.yaml", []byte(text), nil)
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
	release := func(id delivery.ReleaseID) *delivery.SavedRelease {
		return &delivery.SavedRelease{ID: id, Digest: digest, Run: "20261123-120000-abcd", Release: delivery.Release{
			Schema: 1, Service: "retail-api", Commit: strings.Repeat("3", 40), Tree: strings.Repeat("4", 40), Model: &model,
			Workload: delivery.Workload{Replicas: 2, Health: "/health"},
		}}
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

func TestGolden(t *testing.T) {
	pinned := strings.Replace(file, file[strings.Index(file, "  data:"):strings.Index(file, "deploy:")], "", 1)
	plain := pinned[:strings.Index(pinned, "model:")] + pinned[strings.Index(pinned, "deploy:"):]
	approved := serving("cmd/api/main.go")
	approved.LatestApproved = &delivery.ModelVersion{ModelRef: delivery.ModelRef{Group: "prices", Version: 4, Digest: digest}, Status: delivery.Approved}
	cached := serving("cmd/api/main.go")
	cached.Recall = all("build", "test.unit", "test.vet")
	cases := map[string]struct {
		file    string
		trigger plan.Trigger
		facts   plan.Facts
	}{
		"first":       {file, plan.Trigger{Event: "push", Branch: "main", By: "ada"}, facts()},
		"code":        {file, plan.Trigger{Event: "push", Branch: "main"}, cached},
		"retrain":     {file, plan.Trigger{Event: "push", Branch: "release/1", Retrain: true}, cached},
		"docs":        {file, plan.Trigger{Event: "push", Branch: "main"}, serving("README.md", "docs/a.txt")},
		"until":       {file, plan.Trigger{Event: "push", Branch: "main", Until: "evaluate"}, facts()},
		"until-tests": {file, plan.Trigger{Event: "pull_request", Branch: "main", Until: "test"}, facts()},
		"promote":     {file, plan.Trigger{Environment: "prod", DeployOnly: true}, serving()},
		"rollback":    {file, plan.Trigger{Environment: "prod", Rollback: true, Why: "wrong prices"}, serving()},
		"pinned":      {pinned, plan.Trigger{Event: "push", Branch: "main"}, approved},
		"no-model":    {plain, plan.Trigger{Event: "pull_request", Branch: "main"}, facts()},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			p, err := plan.Make(project(t, c.file), c.trigger, c.facts)
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
			if err := json.Unmarshal(got, &back); err != nil || plan.Validate(back) != nil {
				t.Errorf("the stored plan is not valid: %v, %v", err, plan.Validate(back))
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
		if s.Why == "" {
			t.Errorf("%s does not say why", s.Name)
		}
		if s.Cacheable != s.Inputs.Valid() || s.Cacheable && s.Reads == nil {
			t.Errorf("%s: cacheable %v with inputs %q, reads %v", s.Name, s.Cacheable, s.Inputs, s.Reads)
		}
		before[s.Name] = true
	}
}

func TestErrors(t *testing.T) {
	quarantined := serving()
	quarantined.NewestGood.Quarantined = &delivery.Quarantine{Release: old, Reason: "error rate 0.4", Since: noon}
	quarantined.LastGood.Quarantined = quarantined.NewestGood.Quarantined
	wanted := serving()
	wanted.Wanted = wanted.ServingRelease
	alone := serving()
	alone.LastGood = nil
	two := strings.Replace(file, "{push: [develop, \"release/**\"]}", "{push: \"m*\"}", 1)
	pending := facts()
	pending.LatestApproved = &delivery.ModelVersion{ModelRef: delivery.ModelRef{Group: "prices", Version: 4}, Status: delivery.PendingApproval}
	pinned := strings.Replace(file, file[strings.Index(file, "  data:"):strings.Index(file, "deploy:")], "", 1)
	cases := []struct {
		name       string
		file       string
		trigger    plan.Trigger
		facts      plan.Facts
		kind       fault.Kind
		says, hint string
	}{
		{"unknown environment", file, plan.Trigger{Environment: "prd"}, facts(), fault.NotFound, `no environment "prd"`, `did you mean "prod"?`},
		{"no environment", file, plan.Trigger{Event: "push", Branch: "feature"}, facts(), fault.Invalid, "no environment takes a push to feature", "staging (push to develop, release/**)"},
		{"wrong event", file, plan.Trigger{Event: "pull_request", Branch: "develop"}, facts(), fault.Invalid, "a pull request to develop", "--env"},
		{"detached", file, plan.Trigger{Event: "push"}, facts(), fault.Invalid, "a run without a branch", "--env"},
		{"two environments", two, plan.Trigger{Event: "push", Branch: "main"}, facts(), fault.Invalid, "prod and staging", "--env"},
		{"unknown step", file, plan.Trigger{Environment: "prod", Until: "evalute"}, facts(), fault.Invalid, `no step "evalute"`, `did you mean "evaluate"?`},
		{"retrain a release", file, plan.Trigger{Environment: "prod", Retrain: true, DeployOnly: true}, facts(), fault.Invalid, "--deploy-only", "drop"},
		{"retrain nothing", pinned, plan.Trigger{Environment: "prod", Retrain: true}, facts(), fault.Invalid, "trains no model", ""},
		{"nothing to promote", file, plan.Trigger{Environment: "prod", DeployOnly: true}, facts(), fault.NotFound, "no good release", "slipway run"},
		{"quarantined promotion", file, plan.Trigger{Environment: "prod", DeployOnly: true}, quarantined, fault.Conflict, "error rate 0.4", "unquarantine"},
		{"quarantined rollback", file, plan.Trigger{Environment: "prod", Rollback: true}, quarantined, fault.Conflict, "is quarantined since 2026-11-24 12:00", "unquarantine"},
		{"rollback of nothing", file, plan.Trigger{Environment: "prod", Rollback: true}, facts(), fault.Conflict, "nothing serves", "--deploy-only"},
		{"rollback to nothing", file, plan.Trigger{Environment: "prod", Rollback: true}, alone, fault.NotFound, "no good release before", "--to"},
		{"rollback to unknown", file, plan.Trigger{Environment: "prod", Rollback: true, To: older}, serving(), fault.NotFound, "no release " + string(older), "slipway releases"},
		{"rollback to what serves", file, plan.Trigger{Environment: "prod", Rollback: true, To: old}, wanted, fault.Conflict, "serves already", "--to"},
		{"rollback to nonsense", file, plan.Trigger{Environment: "prod", Rollback: true, To: "latest"}, serving(), fault.Invalid, `"latest" is not the name`, "slipway releases"},
		{"release without rollback", file, plan.Trigger{Environment: "prod", To: old}, serving(), fault.Invalid, "only a rollback", ""},
		{"rollback until", file, plan.Trigger{Environment: "prod", Rollback: true, Until: "verify"}, serving(), fault.Invalid, "a rollback takes none", ""},
		{"no approved model", pinned, plan.Trigger{Environment: "prod"}, pending, fault.NotFound, "no version of model prices is approved", "slipway approve"},
		{"inputs match nothing", strings.Replace(file, "cmd/train/**", "cmd/trian/**", 1), plan.Trigger{Environment: "prod"}, facts(), fault.Invalid, `model.train.inputs: "cmd/trian/**" matches no file`, "there is: README.md, cmd/**"},
		{"bad run", file, plan.Trigger{Environment: "prod"}, plan.Facts{Run: "../x", Files: facts().Files}, fault.Internal, "../x", ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := plan.Make(project(t, c.file), c.trigger, c.facts)
			if !fault.Is(err, c.kind) || !strings.Contains(err.Error(), c.says) || !strings.Contains(fault.HintOf(err), c.hint) {
				t.Errorf("%v (hint %q), want %s: %s (%s)", err, fault.HintOf(err), c.kind, c.says, c.hint)
			}
		})
	}
}

// TestSkip proves that only a commit without consequence is skipped.
func TestSkip(t *testing.T) {
	other := serving("README.md")
	other.Data[0].Digest = "sha256:ffff456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	several := serving("README.md")
	several.Data = append(several.Data, plan.Data{Path: "/srv/more.csv", Digest: digest})
	unknown := serving("README.md")
	unknown.Changed = nil
	nothing := serving("README.md")
	nothing.Serving = nil
	cases := []struct {
		name    string
		trigger plan.Trigger
		facts   plan.Facts
		skip    bool
	}{
		{"documents", plan.Trigger{}, serving("README.md", "docs/deep/x.png"), true},
		{"code too", plan.Trigger{}, serving("README.md", "cmd/api/main.go"), false},
		{"the file itself", plan.Trigger{}, serving("slipway.yaml"), false},
		{"nothing", plan.Trigger{}, serving(), false},
		{"new data", plan.Trigger{}, other, false},
		{"two data files, together unknown", plan.Trigger{}, several, false},
		{"unknown changes", plan.Trigger{}, unknown, false},
		{"nothing serves", plan.Trigger{}, nothing, false},
		{"retrain", plan.Trigger{Retrain: true}, serving("README.md"), false},
		{"until", plan.Trigger{Until: "build"}, serving("README.md"), false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			c.trigger.Environment = "prod"
			p, err := plan.Make(project(t, file), c.trigger, c.facts)
			if err != nil {
				t.Fatal(err)
			}
			if (p.Skip != "") != c.skip || (len(p.Steps) == 0) != c.skip {
				t.Errorf("skip %q with %d steps", p.Skip, len(p.Steps))
			}
		})
	}
}

// TestInputs proves what changes which step's inputs.
func TestInputs(t *testing.T) {
	digests := func(change func(*plan.Facts)) map[string]delivery.Digest {
		f := facts()
		change(&f)
		p, err := plan.Make(project(t, file), plan.Trigger{Environment: "prod"}, f)
		if err != nil {
			t.Fatal(err)
		}
		out := map[string]delivery.Digest{}
		for _, s := range p.Steps {
			if s.Cacheable {
				out[s.Name] = s.Inputs
			}
		}
		return out
	}
	edit := func(path string) func(*plan.Facts) {
		return func(f *plan.Facts) {
			for i := range f.Files {
				if f.Files[i].Path == path {
					f.Files[i].Blob = blob(20)
				}
			}
		}
	}
	base := digests(func(*plan.Facts) {})
	cases := map[string]struct {
		change func(*plan.Facts)
		want   string
	}{
		"ignored file":  {edit("README.md"), ""},
		"slipway.yaml":  {edit("slipway.yaml"), ""},
		"server":        {edit("cmd/api/main.go"), "build test.unit test.vet"},
		"training":      {edit("cmd/train/main.go"), "build test.unit test.vet train"},
		"evaluation":    {edit("cmd/evaluate/main.go"), "build evaluate test.unit test.vet"},
		"data":          {func(f *plan.Facts) { f.Data[0].Digest = "sha256:" + delivery.Digest(strings.Repeat("f", 64)) }, "evaluate train"},
		"place of data": {func(f *plan.Facts) { f.Data[0].Path = "/elsewhere/data.csv" }, ""},
		"mode":          {func(f *plan.Facts) { f.Files[3].Mode = "100755" }, "build test.unit test.vet train"},
		"renamed":       {func(f *plan.Facts) { f.Files[3].Path = "cmd/train/other.go" }, "build test.unit test.vet train"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			var changed []string
			for step, d := range digests(c.change) {
				if base[step] != d {
					changed = append(changed, step)
				}
			}
			slices.Sort(changed)
			if got := strings.Join(changed, " "); got != c.want {
				t.Errorf("changes %q, want %q", got, c.want)
			}
		})
	}
}

func TestValidate(t *testing.T) {
	good, err := plan.Make(project(t, file), plan.Trigger{Environment: "prod"}, facts())
	if err != nil {
		t.Fatal(err)
	}
	cases := map[string]struct {
		change func(*plan.Plan)
		kind   fault.Kind
	}{
		"newer":              {func(p *plan.Plan) { p.Version = plan.Version + 1 }, fault.Conflict},
		"no version":         {func(p *plan.Plan) { p.Version = 0 }, fault.Corrupt},
		"purpose":            {func(p *plan.Plan) { p.Purpose = "party" }, fault.Corrupt},
		"run":                {func(p *plan.Plan) { p.Run = "../../etc" }, fault.Corrupt},
		"service":            {func(p *plan.Plan) { p.Service = "a/b" }, fault.Corrupt},
		"environment":        {func(p *plan.Plan) { p.Environment = "" }, fault.Corrupt},
		"commit":             {func(p *plan.Plan) { p.Commit.Tree = "--help" }, fault.Corrupt},
		"replaces":           {func(p *plan.Plan) { p.Replaces = "x" }, fault.Corrupt},
		"no steps":           {func(p *plan.Plan) { p.Steps = nil }, fault.Corrupt},
		"many steps":         {func(p *plan.Plan) { p.Steps = make([]step.Spec, 501) }, fault.Corrupt},
		"name":               {func(p *plan.Plan) { p.Steps[0].Name = "../x" }, fault.Corrupt},
		"twice":              {func(p *plan.Plan) { p.Steps[1].Name = p.Steps[0].Name }, fault.Corrupt},
		"kind":               {func(p *plan.Plan) { p.Steps[0].Kind = "shell" }, fault.Corrupt},
		"undo":               {func(p *plan.Plan) { p.Steps[0].Undo = "shell" }, fault.Corrupt},
		"action":             {func(p *plan.Plan) { p.Steps[0].Action = "" }, fault.Corrupt},
		"inputs":             {func(p *plan.Plan) { p.Steps[0].Inputs = "md5:x" }, fault.Corrupt},
		"timeout":            {func(p *plan.Plan) { p.Steps[0].Timeout = -1 }, fault.Corrupt},
		"with":               {func(p *plan.Plan) { p.Steps[0].With = json.RawMessage(`null`) }, fault.Corrupt},
		"itself":             {func(p *plan.Plan) { p.Steps[0].Needs = []string{p.Steps[0].Name} }, fault.Corrupt},
		"later":              {func(p *plan.Plan) { p.Steps[0].Needs = []string{"push"} }, fault.Corrupt},
		"reads without need": {func(p *plan.Plan) { p.Steps[0].Reads = []string{"push"} }, fault.Corrupt},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			p := good
			p.Steps = slices.Clone(good.Steps)
			c.change(&p)
			if err := plan.Validate(p); !fault.Is(err, c.kind) {
				t.Errorf("%v, want %s", err, c.kind)
			}
		})
	}
	if err := plan.Validate(good); err != nil {
		t.Error(err)
	}
}

func FuzzMake(f *testing.F) {
	f.Add(file, "push", "main", "", "", byte(0), "cmd/train/main.go", "a")
	f.Add(file, "pull_request", "main", "prod", "evaluate", byte(1), "README.md", "docs/x")
	f.Add(file, "", "release/[", "prod", "test", byte(9), "**", "[")
	f.Fuzz(func(t *testing.T, text, event, branch, env, until string, flags byte, path1, path2 string) {
		if len(text) > 1<<13 {
			return
		}
		p, err := config.Parse("slipway.yaml", []byte(text), nil)
		if err != nil {
			return
		}
		given := facts()
		if flags&1 != 0 {
			given = serving(path1, path2)
		}
		given.Files = append(given.Files, port.File{Path: path1, Mode: "100644", Blob: path2})
		if flags&2 != 0 {
			given.Recall = all(path2)
		}
		made, err := plan.Make(p, plan.Trigger{
			Event: event, Branch: branch, Environment: delivery.Environment(env), Until: until,
			Retrain: flags&4 != 0, DeployOnly: flags&8 != 0, Rollback: flags&16 != 0,
		}, given)
		if err != nil {
			if fault.Is(err, fault.Internal) {
				t.Errorf("our own mistake: %v", err)
			}
			return
		}
		sound(t, made)
	})
}

func FuzzValidate(f *testing.F) {
	p, err := plan.Make(project(f, file), plan.Trigger{Environment: "prod"}, facts())
	if err != nil {
		f.Fatal(err)
	}
	raw, err := json.Marshal(p)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Fuzz(func(t *testing.T, raw []byte) {
		var p plan.Plan
		if json.Unmarshal(raw, &p) != nil || plan.Validate(p) != nil {
			return
		}
		before := map[string]bool{}
		for _, s := range p.Steps {
			for _, n := range s.Needs {
				if !before[n] {
					t.Errorf("a need that does not come before: %s", raw)
				}
			}
			before[s.Name] = true
		}
	})
}
