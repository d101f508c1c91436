package app

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/config"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/plan"
	"github.com/slipway-cd/slipway/internal/policy"
	"github.com/slipway-cd/slipway/internal/step"
)

// policyFile writes a policy and returns its path.
func policyFile(t *testing.T, dir, text string) string {
	t.Helper()
	path := filepath.Join(dir, policyName)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("version: 1\n"+text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestLocalPolicy_MeetsAllFiles: the files of the machine, the user and the job hold
// together.
func TestLocalPolicy_MeetsAllFiles(t *testing.T) {
	system := policyFile(t, t.TempDir(), "approvals: {prod: {count: 1}}\nkubeconfigs: [/a, /b]\n")
	home, job := t.TempDir(), policyFile(t, t.TempDir(), "kubeconfigs: [/b, /c]\n")
	user := policyFile(t, filepath.Join(home, ".config", "slipway"), "approvals: {prod: {count: 2}}\n")
	a := &App{SystemPolicy: system, Environ: []string{"HOME=" + home, "SLIPWAY_POLICY=" + job}}
	p, places, err := a.localPolicy(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]PolicyPlace{{system, true}, {user, true}, {job, true}}, places); diff != "" {
		t.Errorf("places (-want +got):\n%s", diff)
	}
	if count, _, from := p.Approvals("prod"); count != 2 || len(from) != 2 {
		t.Errorf("approvals = %d of %q, want 2 of two files", count, from)
	}
	if k := p.Kubeconfigs(); k.Allows("/a") || !k.Allows("/b") || k.Allows("/c") {
		t.Errorf("kubeconfigs = %q, want only /b", k.Items())
	}
}

func TestLocalPolicy_Refuses(t *testing.T) {
	repository := t.TempDir()
	inside := policyFile(t, filepath.Join(repository, "ci"), "")
	unknown := policyFile(t, t.TempDir(), "allow: all\n")
	link := filepath.Join(repository, "link.yaml")
	if err := os.Symlink(policyFile(t, t.TempDir(), ""), link); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, path, want string
		kind             fault.Kind
	}{
		{"missing", filepath.Join(t.TempDir(), "gone"), "read the policy", fault.NotFound},
		{"in the repository", inside, "is in the repository", fault.Denied},
		{"a link in the repository", link, "is in the repository", fault.Denied},
		{"unknown key", unknown, policyName + ":2:1", fault.Invalid},
		{"too large", policyFile(t, t.TempDir(), strings.Repeat("# more\n", maxPolicy/7)), "larger than 1 MiB", fault.Invalid},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := &App{SystemPolicy: filepath.Join(repository, "none"), Environ: []string{"SLIPWAY_POLICY=" + c.path}}
			if _, _, err := a.localPolicy(repository); !fault.Is(err, c.kind) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error = %v, want %s with %q", err, c.kind, c.want)
			}
		})
	}
}

// TestCheckPolicy: what a plan names beyond the policy refuses it, and tells where.
func TestCheckPolicy(t *testing.T) {
	pullRequest := plan.Trigger{Event: plan.PullRequestEvent}
	tests := step.Spec{Name: "test.unit", Kind: step.Test, Params: []byte(`{"run": "x", "env": {"A": "${TOKEN:-none}"}}`)}
	attests := step.Spec{Name: "attest", Kind: step.Attest}
	project := config.Project{Sign: &config.Sign{Keyless: true, Fulcio: "https://f", Rekor: "https://r"}}
	canary := config.Project{Deploy: config.Deploy{Canary: &config.Canary{Prometheus: "http://prometheus:9090"}}}
	for _, c := range []struct {
		name, policy string
		project      config.Project
		trigger      plan.Trigger
		environ      string
		step         step.Spec
		want         string // empty: it is allowed
	}{
		{name: "variable of a push", step: tests},
		{name: "variable of a pull request", step: tests, trigger: pullRequest, want: "test.unit: a pull request may not use the variable TOKEN"},
		{name: "variable in a pull request's job", step: tests, environ: "GITLAB_CI=true CI_PIPELINE_SOURCE=merge_request_event", want: "a pull request may not use the variable TOKEN"},
		{name: "released variable", policy: "secrets: {pull_request: [TOKEN]}", step: tests, trigger: pullRequest},
		{name: "variable that a push may not use", policy: "secrets: {push: [OTHER]}", step: tests, want: "a push may not use the variable TOKEN: not allowed by the policy"},
		{name: "Fulcio", project: project, step: attests},
		{name: "Fulcio of a pull request", project: project, step: attests, trigger: pullRequest, want: "sign.fulcio: a pull request may not choose"},
		{name: "Fulcio that is not listed", policy: "addresses: {fulcio: [\"https://g\"]}", project: project, step: attests, want: "sign.fulcio: https://f: not allowed"},
		{name: "Fulcio that is listed", policy: "addresses: {fulcio: [\"https://f\"]}", project: project, step: attests, trigger: pullRequest},
		{name: "Rekor that is not listed", policy: "addresses: {rekor: []}", project: project, step: attests, want: "sign.rekor: https://r: not allowed"},
		{name: "Prometheus without a token", project: canary},
		{name: "Prometheus with a token in clear text", project: canary, environ: "SLIPWAY_PROMETHEUS_TOKEN=x", want: "without encryption"},
		{name: "Prometheus on this machine", project: config.Project{Deploy: config.Deploy{Canary: &config.Canary{Prometheus: "http://127.0.0.1:9090"}}}, environ: "SLIPWAY_PROMETHEUS_TOKEN=x"},
		{name: "Prometheus with a name like an address", project: config.Project{Deploy: config.Deploy{Canary: &config.Canary{Prometheus: "http://127.evil.example:9090"}}}, environ: "SLIPWAY_PROMETHEUS_TOKEN=x", want: "without encryption"},
		{name: "registry", policy: "addresses: {registries: [other.example]}", project: config.Project{Image: config.Image{Repository: "evil.example/api"}}, want: "image.repository: evil.example"},
		{name: "trust", policy: "trust: {keys: []}", step: step.Spec{Name: "deploy", Kind: step.Deploy}, want: "has no trust"},
		{name: "box", policy: "require: {box: true}", step: tests, want: "requires a box"},
		{name: "box without a command", policy: "require: {box: true}", step: step.Spec{Name: "push", Kind: step.Push}},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, err := policy.Parse(policyName, []byte("version: 1\n"+c.policy))
			if err != nil {
				t.Fatal(err)
			}
			s := &session{
				app: &App{Environ: strings.Fields(c.environ)}, project: c.project, trigger: c.trigger,
				policy: policy.Policy{}.With("/etc/p", d),
			}
			err = s.checkPolicy(plan.Plan{Environment: "prod", Steps: []step.Spec{c.step}})
			switch {
			case c.want == "" && err != nil:
				t.Errorf("error = %v, want none", err)
			case c.want != "" && (!fault.Is(err, fault.Denied) || !strings.Contains(err.Error(), c.want) || fault.HintOf(err) == ""):
				t.Errorf("error = %v (%s), want %s with %q and a hint", err, fault.HintOf(err), fault.Denied, c.want)
			}
		})
	}
}

// TestApplyPolicy_OnlyTightens: counts take the larger of the file's and the policy's.
func TestApplyPolicy_OnlyTightens(t *testing.T) {
	d, err := policy.Parse(policyName, []byte("version: 1\napprovals: {\"*\": {count: 2, who: [ann]}}\n"))
	if err != nil {
		t.Fatal(err)
	}
	environments := map[delivery.Environment]config.Environment{"dev": {}, "prod": {Approvals: 3}}
	s := &session{project: config.Project{Environments: environments}, policy: policy.Policy{}.With("/etc/p", d)}
	s.applyPolicy()
	for env, want := range map[delivery.Environment]int{"dev": 2, "prod": 3} {
		e := s.project.Environments[env]
		if diff := cmp.Diff([][]string{{"ann"}}, e.Approvers); e.Approvals != want || diff != "" {
			t.Errorf("%s: %d approvals, want %d; approvers (-want +got):\n%s", env, e.Approvals, want, diff)
		}
	}
}
