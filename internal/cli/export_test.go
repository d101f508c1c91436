package cli_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/app"
)

const awsProject = `version: 1
service: retail-api
image: {build: {go: .}, registry: ecr, repository: mlops/retail-api}
aws:
  account: "111122223333"
  region: ap-southeast-1
  github: {repository: o/r, id: "123", owner_id: "456"}
environments:
  prod:
    on: {push: main}
    target: {eks: {cluster: mlops-retail-cluster, namespace: mlops}}
    aws: {role: "arn:aws:iam::111122223333:role/retail-deploy-prod"}
`

// TestExport: what is written is what the check compares, changes by hand are named, and
// files of others stay.
func TestExport_Account(t *testing.T) {
	for _, tool := range []string{"terraform", "cloudformation"} {
		t.Run(tool, func(t *testing.T) {
			p := newProgram(t)
			p.useFile(awsProject)
			if got := p.run("aws", "export", tool, "--check"); got.code != 6 || !strings.Contains(got.stdout, "is missing") {
				t.Fatalf("before anything is written: exit code %d\n%s%s", got.code, got.stdout, got.stderr)
			}
			var r app.AccountExport
			if got := p.run("export", tool, "--json"); got.code != 0 || json.Unmarshal([]byte(got.stdout), &r) != nil || len(r.Files) < 2 {
				t.Fatalf("exit code %d\n%s%s", got.code, got.stdout, got.stderr)
			}
			var all string
			for _, f := range r.Files {
				text, err := os.ReadFile(filepath.Join(p.dir, tool, f))
				if err != nil {
					t.Fatal(err)
				}
				all += string(text)
			}
			for _, want := range []string{"retail-deploy-prod", "mlops/retail-api", "mlops-retail-cluster", "repo:o@456/r@123:environment:prod", "slipway:environment", "kind: RoleBinding"} {
				if !strings.Contains(all, want) {
					t.Errorf("the export has no %q:\n%s", want, all)
				}
			}
			if got := p.run("aws", "export", tool, "--check"); got.code != 0 || got.stderr != "" {
				t.Errorf("after it was written: exit code %d\n%s%s", got.code, got.stdout, got.stderr)
			}
			name := filepath.Join(tool, r.Files[0])
			p.write(name, strings.Replace(readFile(t, filepath.Join(p.dir, name)), "111122223333", "444455556666", 1))
			if got := p.run("aws", "export", tool, "--check"); got.code != 6 || !strings.Contains(got.stdout, r.Files[0]+" differs at line ") {
				t.Errorf("changed by hand: exit code %d\n%s%s", got.code, got.stdout, got.stderr)
			}
			p.write(name, "# mine\n")
			for _, args := range [][]string{{"export", tool}, {"export", tool, "--check"}} {
				if got := p.run(args...); got.code != 2 || !strings.Contains(got.stderr, "was not written by Slipway") {
					t.Errorf("%v: exit code %d\n%s%s", args, got.code, got.stdout, got.stderr)
				}
			}
			if got := readFile(t, filepath.Join(p.dir, name)); got != "# mine\n" {
				t.Errorf("a file of somebody else is now %q", got)
			}
		})
	}
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestExport_WithoutAWS(t *testing.T) {
	p := newProgram(t)
	if got := p.run("export", "terraform"); got.code != 2 || !strings.Contains(got.stderr, "add aws: {region: ...}") {
		t.Errorf("exit code %d\n%s", got.code, got.stderr)
	}
}
