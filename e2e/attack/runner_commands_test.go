//go:build linux

package attack

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
)

// runnerCommand is what the runners of GitHub Actions, Azure Pipelines and TeamCity take
// from a log.
var runnerCommand = regexp.MustCompile(`(?m)^\s*::|##\[|##vso\[|##teamcity\[`)

// TestRunnerCommands: the runner of a CI takes commands from the log of its job. What a
// test prints, or a pod or server writes, set outputs and variables of the job that
// deploys, and the search path of its next steps.
func TestRunnerCommands(t *testing.T) {
	l := newLab(t)
	l.write("slipway.yaml", `version: 1
service: tiny
test:
  - name: unit
    run: |
      echo '::set-output name=digest::sha256:evil'
      echo '   ::add-path::/tmp/evil'
      echo 'x ##[set-output name=digest;]sha256:evil'
      echo '##vso[task.setvariable variable=PATH]/tmp/evil'
      echo "##teamcity[setParameter name='env.PATH' value='/tmp/evil']"
      exit 1
image: {build: {go: .}, repository: tiny}
environments: {prod: {on: {push: main, dispatch: any}, until: test}}
`)
	l.commit("a test that talks to the runner")
	job := l.with("GITHUB_ACTIONS=true", "GITHUB_EVENT_NAME=push", "GITHUB_REF_NAME=main", "TF_BUILD=True")
	for _, r := range []result{
		job.slipway("run", "--env", "prod").wantExit(1).wantText("setParameter name='env.PATH'"),
		job.slipway("logs", "latest").wantExit(0).wantText("sha256:evil", "/tmp/evil"),
		job.slipway("runs", "show", "latest").wantExit(0),
		job.slipway("runs", "show", "latest", "--json").wantExit(0),
		job.slipway("run", "--env", "prod", "--json").wantExit(1),
	} {
		if found := runnerCommand.FindString(r.stdout + r.stderr); found != "" {
			t.Errorf("the runner takes %q for a command\n%s", strings.TrimSpace(found), r)
		}
	}
	shown := job.slipway("runs", "show", "latest", "--json")
	if !json.Valid([]byte(shown.stdout)) {
		t.Errorf("not a JSON document\n%s", shown)
	}
}
