//go:build e2e && linux

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/adapter/aws/awstest"
)

// ciEvents is how many pushes and how many pull requests there are.
const ciEvents = 20

// newAWSTinyProject is the tiny service on this machine, whose model is trained and kept in
// SageMaker, with an approved version of it.
func newAWSTinyProject(t *testing.T) (*project, *awsLab) {
	t.Helper()
	p := newTinyProject(t)
	l := p.startAWS(awstest.Config{})
	l.serveSageMaker()
	l.become(l.cloud.AddUser("ci"))
	p.edit("slipway.yaml", "source: {", fmt.Sprintf("aws: {account: %q, region: %s}\nsource: {", awstest.Account, awstest.Region))
	p.edit("slipway.yaml", "  data: [data.csv]\n  train:\n", fmt.Sprintf(`  data: [data.csv]
  registry: {sagemaker: {storage: "s3://%[1]s/models"}}
  train:
    on: {sagemaker: {role: "arn:aws:iam::%[2]s:role/training", image: "%[3]s/%[4]s:go1.26", instances: [ml.m5.large], bucket: %[1]s}}
`, awsBucket, awstest.Account, l.cloud.RegistryHost(), awsTraining))
	p.edit("slipway.yaml", "dev: {on: {push: develop}", "dev: {on: {pull_request: main}")
	p.edit("slipway.yaml", "environments:\n", "environments:\n  checks: {on: {push: topic}, until: build}\n")
	// What pull requests may not use without a policy, and folders that no container has.
	p.edit("slipway.yaml", `    env: {SIDE: "${E2E_SIDE}", E2E_TOKEN: "${E2E_TOKEN}"}`, "    env: {SIDE: /dev/null}")
	p.edit("slipway.yaml", `    env: {E2E_TOKEN: "${E2E_TOKEN}"}`+"\n", "")
	p.commit("train on SageMaker")

	model, metrics := filepath.Join(p.base, "weights.txt"), filepath.Join(p.base, "scores.json")
	p.must(os.WriteFile(model, []byte("accuracy=0.9\n"), 0o600))
	p.must(os.WriteFile(metrics, []byte(`{"accuracy": 0.9}`), 0o600))
	p.slipway("models", "add", "tiny-models", model, "--metrics", metrics, "--why", "from research").wantExit(0)
	p.slipway("approve", "tiny-models:1", "--why", "looked at it").wantExit(0)
	return p, l
}

// TestAWS_TrainWhen: training costs money, so that pushes and pull requests that change its
// inputs train nothing, and a person who asks for it does, once. Every tenth commit changes
// the code as well, and is deployed.
func TestAWS_TrainWhen(t *testing.T) {
	t.Parallel()
	p, l := newAWSTinyProject(t)
	p.checkWithoutCredentials(l.cloud.AddTopic("releases"))
	l.disturb(2)
	deployed := map[string]int{}
	for i := range ciEvents {
		for _, event := range []struct{ name, ref, note string }{
			{"push", "main", "training inputs changed; not retrained (when: manual)"},
			{"pull_request", "7/merge", "pull requests do not train on sagemaker"},
		} {
			p.changeTraining(fmt.Sprintf("%s-%d", event.name, i), i%10 == 0)
			if i == 0 {
				p.inCI(event.name, event.ref, "plan").wantExit(0).wantText(event.note)
			}
			r := p.inCI(event.name, event.ref, "run", "--json").wantExit(0)
			if i == 0 && !strings.HasPrefix(r.report.NotRetrained, event.note) {
				t.Errorf("%s: not_retrained = %q, want %q", event.name, r.report.NotRetrained, event.note)
			}
			if names := stepNames(r); slices.Contains(names, "train") {
				t.Errorf("%s %d ran %q", event.name, i, names)
			}
			if r.report.Outcome == "deployed" {
				deployed[event.name]++
			}
		}
	}
	held := len(l.cloud.Jobs(awstest.TrainingJob))
	if held != 0 || deployed["push"] < ciEvents/10 || deployed["pull_request"] < ciEvents/10 {
		t.Errorf("%d training jobs; deployed %v", held, deployed)
	}
	p.changeTraining("dispatch", false)
	p.inCI("workflow_dispatch", "main", "run", "--env", "prod", "--retrain", "--json").wantRun(0, "deployed")
	jobs, versions := l.cloud.Jobs(awstest.TrainingJob), l.cloud.ModelPackages("tiny-models")
	if len(jobs) != 1 || len(versions) != 2 || versions[1].Approval() != "Approved" {
		t.Errorf("a dispatch with --retrain made %d jobs and the versions %+v", len(jobs), versions)
	}
	l.logContract()
	t.Logf("awstable: %d pushes and %d pull requests that change the inputs of training: %d training jobs; 1 dispatch with --retrain: %d", ciEvents, ciEvents, held, len(jobs))
}

// checkWithoutCredentials runs the stages of an environment that deploys nothing, in a job
// without a role: the registry is not asked, and a notification that can't be sent is one
// line, which changes nothing of the result.
func (p *project) checkWithoutCredentials(topic string) {
	p.t.Helper()
	before := p.env
	defer func() { p.env = before }()
	p.env = slices.DeleteFunc(slices.Clone(before), func(kv string) bool { return strings.HasPrefix(kv, "AWS_ACCESS_KEY_ID=") })
	notify := fmt.Sprintf("notify: [{sns: %q}]\n", topic)
	p.edit("slipway.yaml", "environments:\n", notify+"environments:\n")
	p.commit("tell a topic")
	p.inCI("push", "topic", "run").wantExit(0).wantText(
		"succeeded  run ", "gave up sending a message to sns releases: publish to "+topic+": no credentials of AWS found\n")
	p.edit("slipway.yaml", notify, "")
	p.commit("tell nobody")
	p.inCI("push", "topic", "run", "--json").wantRun(0, "succeeded")
	p.inCI("push", "main", "plan").wantExit(1).wantText("no credentials of AWS found")
}

// changeTraining commits another weight, and other code if it is told so.
func (p *project) changeTraining(id string, code bool) {
	p.t.Helper()
	text := p.read(p.dir + "/weights.txt")
	if head, _, ok := strings.Cut(text, "# "); ok {
		text = head
	}
	p.write("weights.txt", text+"# "+id+"\n")
	if code {
		p.write("behaviour.go", "package main\n\nconst behaviour = \"good "+id+"\"\n")
	}
	p.commit(id)
}
