package pipeline_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/scaffold/pipeline"
)

const hardened = `name: ship
on:
  push: {branches: [main]}
  workflow_dispatch:
    inputs: {model: {type: string}}
permissions: {}
concurrency: prod
jobs:
  test:
    runs-on: ubuntu-24.04
    permissions: {contents: read}
    steps:
      - uses: actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1
      - run: |
          pip install -r requirements.txt
          pytest -q
  ship:
    needs: test
    environment: prod
    permissions: {id-token: write, contents: read}
    runs-on: ubuntu-24.04
    env: {MODEL: "${{ inputs.model }}"}
    steps:
      - uses: actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1
      - run: trivy image --exit-code 1 --severity HIGH "$IMAGE"
      - run: kubectl set image deploy/api api="$IMAGE@$DIGEST"
      - run: |
          python train.py
          python check_accuracy.py --threshold 0.8
      - run: |
          for i in 1 2 3; do
            curl -f "https://$HOST/health"
          done
`

func read(t *testing.T, file, text string) *pipeline.Pipeline {
	t.Helper()
	p, err := pipeline.Read(file, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// A pipeline without the mistakes has no flaws.
func TestFlaws_NoneInHardened(t *testing.T) {
	for _, f := range read(t, "w.yml", hardened).Flaws() {
		t.Errorf("%s %s: %s", f.At, f.Rule, f.What)
	}
}

// Each mistake is found where it is.
func TestFlaws_Found(t *testing.T) {
	for name, c := range map[string]struct {
		old, new string // in the hardened one
		want     string // rule and line
	}{
		"|| true":                {"pytest -q\n", "pytest -q || true\n", "swallowed-failure 16"},
		"|| echo":                {"pytest -q\n", "pytest -q || echo failed\n", "swallowed-failure 16"},
		"exit zero":              {"pytest -q\n", "flake8 --exit-zero .\n", "swallowed-failure 16"},
		"continue-on-error":      {"      - run: trivy", "      - continue-on-error: true\n        run: trivy", "swallowed-failure 25"},
		"job may fail":           {"    environment: prod\n", "    environment: prod\n    continue-on-error: true\n", "swallowed-failure 20"},
		"scan without exit code": {"--exit-code 1 ", "", "scan-cannot-fail 25"},
		"scan with exit code 0":  {"--exit-code 1 ", "--exit-code 0 ", "scan-cannot-fail 25"},
		"grype":                  {"trivy image --exit-code 1 --severity HIGH", "grype", "scan-cannot-fail 25"},
		"latest":                 {"$IMAGE@$DIGEST", "shop/api:latest", "mutable-tag 26"},
		"two rollouts":           {"      - run: kubectl set", "      - run: kubectl apply -f k8s/\n      - run: kubectl set", "two-rollouts 27"},
		"one request":            {"          for i in 1 2 3; do\n", "          true\n", "one-request 32"},
		"undo":                   {"            curl", "            kubectl rollout undo deploy/api\n            curl", "partial-rollback 32"},
		"no gate":                {"          python check_accuracy.py --threshold 0.8\n", "", "ungated-retraining 28"},
		"pull requests deploy":   {"    environment: prod\n", "", "unguarded-deploy 18"},
		"no queue":               {"concurrency: prod\n", "", "concurrent-deploys 16"},
		"unread input":           {"inputs.model", "env.HOME", "unread-input 5"},
		"secret for all steps":   {`env: {MODEL: "${{ inputs.model }}"}`, `env: {MODEL: "${{ inputs.model }}", T: "${{ secrets.T }}"}`, "secret-in-environment 22"},
		"secret in the file":     {`env: {MODEL:`, `env: {DB_PASSWORD: correct-horse, MODEL:`, "secret-in-environment 22"},
		"write-all":              {"permissions: {}\n", "permissions: write-all\n", "broad-permissions 6"},
		"token for all":          {"permissions: {}\n", "permissions: {id-token: write}\n", "broad-permissions 6"},
		"tag of an action":       {"actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1\n", "actions/checkout@v7\n", "unpinned-action 24"},
		"injection":              {"pytest -q\n", "echo ${{ github.event.pull_request.title }}\n", "script-injection 16"},
	} {
		t.Run(name, func(t *testing.T) {
			text := hardened
			if name == "pull requests deploy" {
				text = strings.Replace(text, "  push: {branches: [main]}\n", "  push: {branches: [main]}\n  pull_request:\n", 1)
			}
			changed := strings.Replace(text, c.old, c.new, 1)
			if changed == text {
				t.Fatalf("%q is not in the workflow", c.old)
			}
			var got []string
			for _, f := range read(t, "w.yml", changed).Flaws() {
				line, _ := strings.CutPrefix(f.At, "w.yml:")
				got = append(got, f.Rule+" "+line)
				if f.Instead == "" || f.What == "" {
					t.Errorf("%+v does not say what happens, or what to do", f)
				}
			}
			if diff := cmp.Diff([]string{c.want}, got); diff != "" {
				t.Errorf("flaws (-want +got):\n%s", diff)
			}
		})
	}
}

func TestFlaws_OfActions(t *testing.T) {
	const text = `on: {pull_request_target: {}, push: {}}
permissions: {contents: read}
jobs:
  a:
    steps:
      - uses: actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1
        with: {ref: "${{ github.event.pull_request.head.sha }}"}
      - uses: aquasecurity/trivy-action@3d3c42e5aac5ba805825da76410c181273ba90b1
        with:
          image-ref: x
          exit-code: "0"
      - uses: anchore/scan-action@3d3c42e5aac5ba805825da76410c181273ba90b1
        with: {fail-build: false}
      - uses: aws-actions/configure-aws-credentials@3d3c42e5aac5ba805825da76410c181273ba90b1
        with:
          aws-secret-access-key: ${{ secrets.KEY }}
      - uses: docker/build-push-action@3d3c42e5aac5ba805825da76410c181273ba90b1
        with: {tags: "shop/api:latest"}
      - uses: ./local
`
	want := []string{"untrusted-checkout 7", "scan-cannot-fail 11", "scan-cannot-fail 13", "secret-in-environment 16", "mutable-tag 18"}
	var got []string
	for _, f := range read(t, "w.yml", text).Flaws() {
		got = append(got, f.Rule+" "+strings.TrimPrefix(f.At, "w.yml:"))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("flaws (-want +got):\n%s", diff)
	}
}

func TestPolicyFlaws(t *testing.T) {
	policy := func(line string) []byte {
		return fmt.Appendf(nil, "{\n \"Statement\": [{\n  \"Sid\": \"Train\",\n  %s\n }]\n}\n", line)
	}
	for name, c := range map[string]struct {
		file string
		data []byte
		want string
	}{
		"open trust":     {"t.json", policy(`"Condition": {"StringLike": {"token:sub": "repo:shop/api:*"}}`), "open-trust t.json:4"},
		"exact trust":    {"t.json", policy(`"Condition": {"StringEquals": {"token:sub": "repo:shop/api:environment:prod"}}`), ""},
		"every resource": {"p.json", policy(`"Resource": "*"`), "open-resource p.json:4"},
		"list":           {"p.json", policy(`"Resource": ["*"]`), "open-resource p.json:4"},
		"one bucket":     {"p.json", policy(`"Resource": "arn:aws:s3:::data/*"`), ""},
		"no policy":      {"x.json", []byte(`{"Resource": "*"}`), ""},
		"no JSON":        {"x.json", []byte(`"Statement" "Resource": "*"`), ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := ""
			for _, f := range pipeline.PolicyFlaws(c.file, c.data) {
				got += f.Rule + " " + f.At
			}
			if got != c.want {
				t.Errorf("flaws = %q, want %q", got, c.want)
			}
		})
	}
}

func TestRead_Refused(t *testing.T) {
	for name, c := range map[string]struct{ file, text, want string }{
		"Jenkinsfile":   {"Jenkinsfile", "pipeline {}", "Jenkinsfile: unknown kind of pipeline"},
		"no jobs":       {"compose.yml", "services: {}\n", "compose.yml:1: compose.yml: no jobs found"},
		"no YAML":       {"w.yml", "jobs: [\n", "w.yml:"},
		"empty":         {"w.yml", "", "w.yml:1:1: the file is empty"},
		"only includes": {".gitlab-ci.yml", "include: [{local: x.yml}]\nstages: [a]\n", "no jobs with a script found"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := pipeline.Read(c.file, []byte(c.text))
			if !fault.Is(err, fault.Invalid) || !strings.Contains(fmt.Sprint(err), c.want) {
				t.Errorf("err = %v, want %q", err, c.want)
			}
		})
	}
}

// Test commands lose what swallows their failure, and come with what their job installs.
func TestCommands(t *testing.T) {
	const text = `on: push
env: {DIR: src}
jobs:
  a:
    defaults: {run: {working-directory: api}}
    steps:
      - uses: actions/setup-python@v5
        with: {python-version: "3.12"}
      - run: pip install -r requirements.txt pytest "ruff>=0.6" -e .
      - run: ruff check $DIR && cd tests && pytest -q || true
      - run: poetry run mypy ${{ env.DIR }} | tee out.txt
      - working-directory: .
        run: pytest ${{ matrix.args }}
      - run: make deploy
`
	want := []pipeline.Command{
		{Run: "ruff check src", Dir: "api", Tool: "ruff check", Source: "w.yml:10", Swallowed: true},
		{Run: "pytest -q", Dir: "api/tests", Tool: "pytest", Source: "w.yml:10", Swallowed: true},
		{Run: "mypy src", Dir: "api", Tool: "mypy", Source: "w.yml:11"},
	}
	want = append(want, pipeline.Command{Run: "make deploy", Dir: "api", Tool: "make", Source: "w.yml:14"})
	for i := range want {
		want[i].Requirements, want[i].Packages, want[i].Python = []string{"api/requirements.txt"}, []string{"pytest", "ruff>=0.6"}, "3.12"
	}
	if diff := cmp.Diff(want, read(t, "w.yml", text).Commands()); diff != "" {
		t.Errorf("commands (-want +got):\n%s", diff)
	}
}

func FuzzRead(f *testing.F) {
	f.Add(hardened)
	f.Add("a: &a {script: [*a]}\nb: {<<: *a}\njobs: {x: *a}\n")
	f.Add("jobs: {a: {steps: [{run: |\n  x \\\n}]}}\non: &x [*x]\n")
	f.Fuzz(func(t *testing.T, text string) {
		for _, file := range []string{"w.yml", ".gitlab-ci.yml"} {
			p, err := pipeline.Read(file, []byte(text))
			if err != nil {
				continue
			}
			p.Facts()
			p.Commands()
			for _, flaw := range p.Flaws() {
				if flaw.What == "" {
					t.Error("a flaw without a text")
				}
			}
		}
	})
}
