package plan_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/catalog"
	"github.com/slipway-cd/slipway/internal/config"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/plan"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/step"
)

// TestNew_SkipsCommitsWithoutConsequence proves that only a commit without consequence is skipped.
func TestNew_SkipsCommitsWithoutConsequence(t *testing.T) {
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
		{"the deployed model, chosen", plan.Trigger{Model: "prices:3"}, choosing(3), true},
		{"another model, chosen", plan.Trigger{Model: "prices:2"}, choosing(2), false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			c.trigger.Environment = "prod"
			p, err := plan.New(project(t, file), c.trigger, c.facts)
			if err != nil {
				t.Fatal(err)
			}
			if (p.Skip != "") != c.skip || (len(p.Steps) == 0) != c.skip {
				t.Errorf("skip %q with %d steps", p.Skip, len(p.Steps))
			}
		})
	}
}

// TestNew_NamesChangedData: the reason to train names what changed, the data included.
func TestNew_NamesChangedData(t *testing.T) {
	other := serving("cmd/train/main.go")
	other.Data[0].Digest = "sha256:ffff456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	for name, c := range map[string]struct {
		facts plan.Facts
		want  bool
	}{"other data": {other, true}, "the same data": {serving("cmd/train/main.go"), false}} {
		t.Run(name, func(t *testing.T) {
			p, err := plan.New(project(t, file), plan.Trigger{Environment: "prod"}, c.facts)
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range p.Steps {
				named := strings.HasPrefix(s.Reason, "the data changed since prices:")
				if want := c.want && s.Kind == step.Train; named != want {
					t.Errorf("reason of %s: %q, want it to name the data: %v", s.Name, s.Reason, want)
				}
			}
		})
	}
}

// choosing are the facts of a run that names an approved model.
func choosing(version int) plan.Facts {
	f := serving("README.md")
	ref := delivery.ModelRef{Group: "prices", Version: version, Digest: digest}
	f.RequestedModel = &delivery.ModelVersion{ModelRef: ref, Status: delivery.Approved}
	return f
}

// TestNew_DigestsInputs proves what changes which step's inputs.
func TestNew_DigestsInputs(t *testing.T) {
	digests := func(change func(*plan.Facts)) map[string]delivery.Digest {
		f := facts()
		change(&f)
		p, err := plan.New(project(t, file), plan.Trigger{Environment: "prod"}, f)
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
	good, err := plan.New(project(t, file), plan.Trigger{Environment: "prod"}, facts())
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
		"with":               {func(p *plan.Plan) { p.Steps[0].Params = json.RawMessage(`null`) }, fault.Corrupt},
		"itself":             {func(p *plan.Plan) { p.Steps[0].Needs = []string{p.Steps[0].Name} }, fault.Corrupt},
		"later":              {func(p *plan.Plan) { p.Steps[0].Needs = []string{"push"} }, fault.Corrupt},
		"reads without need": {func(p *plan.Plan) { p.Steps[0].Reads = []string{"push"} }, fault.Corrupt},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			p := good
			p.Steps = slices.Clone(good.Steps)
			c.change(&p)
			if err := plan.Validate(p, catalog.Default().StepKinds()); !fault.Is(err, c.kind) {
				t.Errorf("%v, want %s", err, c.kind)
			}
		})
	}
	if err := plan.Validate(good, catalog.Default().StepKinds()); err != nil {
		t.Error(err)
	}
}

func FuzzNew(f *testing.F) {
	f.Add(file, "push", "main", "", "", byte(0), "cmd/train/main.go", "a")
	f.Add(file, "pull_request", "main", "prod", "evaluate", byte(1), "README.md", "docs/x")
	f.Add(file, "", "release/[", "prod", "test", byte(9), "**", "[")
	f.Fuzz(func(t *testing.T, text, event, branch, env, until string, flags byte, path1, path2 string) {
		if len(text) > 1<<13 {
			return
		}
		p, err := config.Parse("slipway.yaml", []byte(text), nil, catalog.Default())
		if err != nil {
			return
		}
		given := facts()
		if flags&1 != 0 {
			given = serving(path1, path2)
		}
		given.Files = append(given.Files, port.File{Path: path1, Mode: "100644", Blob: path2})
		if flags&2 != 0 {
			given.CachedResult = all(path2)
		}
		made, err := plan.New(p, plan.Trigger{
			Event: plan.TriggerEvent(event), Branch: branch, Environment: delivery.Environment(env), Until: until,
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
	p, err := plan.New(project(f, file), plan.Trigger{Environment: "prod"}, facts())
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
		if json.Unmarshal(raw, &p) != nil || plan.Validate(p, catalog.Default().StepKinds()) != nil {
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
