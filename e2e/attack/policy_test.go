//go:build linux

package attack

import (
	"os"
	"path/filepath"
	"testing"
)

// Test2_PullRequest: a pull request read every secret of the job by naming it.
func Test2_PullRequest(t *testing.T) {
	l := newLab(t)
	mark := filepath.Join(l.base, "leak")
	l.edit("slipway.yaml", `run: echo "hello, the token is ${E2E_TOKEN:-none}"`, `run: echo "$X" >`+mark)
	l.edit("slipway.yaml", `    env: {E2E_TOKEN: "${E2E_TOKEN}"}
    inputs: ["*.go", go.mod]`, `    env: {X: "${COSIGN_PASSWORD}"}
    inputs: ["*.go", go.mod]`)
	l.edit("slipway.yaml", "dev: {on: {push: develop}, target: {local: {}}}", "dev: {on: {pull_request: main}, until: test}")
	l.commit("leak")
	job := l.with("COSIGN_PASSWORD=hunter2-cosign")
	for _, r := range []result{
		job.slipway("run", "--env", "dev", "--event", "pull_request", "--branch", "main"),
		job.with("GITHUB_ACTIONS=true", "GITHUB_EVENT_NAME=pull_request", "GITHUB_BASE_REF=main", "GITHUB_REF_NAME=7/merge").slipway("run", "--env", "dev", "--event", "push"),
	} {
		if l.exists(mark) {
			t.Fatalf("the pull request read %s\n%s", l.read(mark), r)
		}
		r.wantExit(1)
	}
	job.slipway("run", "--env", "dev", "--event", "pull_request", "--branch", "main").wantExit(1).
		wantText("a pull request may not use the variable COSIGN_PASSWORD", "secrets: {pull_request: [COSIGN_PASSWORD]}")
	policy := l.policy("secrets: {pull_request: [COSIGN_PASSWORD]}\n")
	job.with("SLIPWAY_POLICY="+policy).slipway("run", "--env", "dev", "--event", "pull_request", "--branch", "main").wantExit(0)
	if !l.exists(mark) {
		t.Error("the test did not get what the policy releases")
	}
}

// Test15: the commit that is judged brought the rules that judge it.
func Test15(t *testing.T) {
	l := newLab(t)
	policy := l.policy("trust: {keys: []}\napprovals: {prod: {count: 1, who: [frank]}}\n")
	operator := l.with("SLIPWAY_POLICY=" + policy)
	operator.slipway("plan", "--env", "prod").wantText("environment prod has no trust, and the policy requires signatures")
	operator.slipway("run", "--env", "prod").wantExit(1).wantText("has no trust")
	l.write("evil.pub", "-----BEGIN PUBLIC KEY-----\nAQID\n-----END PUBLIC KEY-----\n")
	l.edit("slipway.yaml", "bake: 300ms}", "bake: 300ms, trust: {keys: [evil.pub]}}")
	l.commit("a key of the commit")
	operator.slipway("run", "--env", "prod").wantExit(1).wantText("key evil.pub", "not allowed")

	l.edit("slipway.yaml", ", trust: {keys: [evil.pub]}", "")
	l.commit("no key")
	operator = l.with("SLIPWAY_POLICY=" + l.policy("approvals: {prod: {count: 1, who: [frank]}}\n"))
	operator.slipway("policy", "show").wantExit(0).wantText("approvals.prod", "at least 1", "frank", "secrets.pull_request", "default")
	run := operator.waitingRun()
	operator.slipway("approve", run, "--by", "frank", "--no-wait").wantExit(0)
	operator.slipway("run", "--resume", run).wantExit(4).wantText("0 of 1 approvals", "the policy does not list")
	operator.with("GITHUB_ACTIONS=true", "GITHUB_SERVER_URL=https://github.com", "GITHUB_ACTOR=frank", "GITHUB_ACTOR_ID=7", "SLIPWAY_ACTOR=").
		slipway("approve", run).wantExit(0)

	inside := filepath.Join(l.repo, "policy.yaml")
	l.must(os.WriteFile(inside, []byte("version: 1\n"), 0o644))
	l.with("SLIPWAY_POLICY=" + inside).slipway("status").wantExit(1).wantText("is in the repository")
	l.with("SLIPWAY_POLICY=" + filepath.Join(l.base, "gone.yaml")).slipway("status").wantExit(2).wantText("read the policy")
}

// Test16: the commit chose who gets the tokens of the job.
func Test16(t *testing.T) {
	l := newLab(t)
	l.edit("slipway.yaml", "deploy:\n", "sign: {keyless: true, fulcio: \"https://fulcio.evil.example\", rekor: \"https://rekor.evil.example\"}\n\ndeploy:\n")
	l.commit("another authority")
	policy := l.policy("addresses: {fulcio: [\"https://fulcio.example.com\"], state: []}\n")
	l.with("SLIPWAY_POLICY="+policy).slipway("run", "--env", "prod").wantExit(1).
		wantText("sign.fulcio: https://fulcio.evil.example", "not allowed by the policy "+policy)
	l.slipway("run", "--env", "prod", "--event", "pull_request", "--branch", "main").wantExit(1)
	l.write("slipway.yaml", "state: /tmp/elsewhere\n"+l.read(filepath.Join(l.repo, "slipway.yaml")))
	l.with("SLIPWAY_POLICY=" + policy).slipway("status").wantExit(1).wantText("state: the shared state that the file names")
}

// policy writes a policy outside of the repository.
func (l *lab) policy(text string) string {
	l.t.Helper()
	f, err := os.CreateTemp(l.base, "policy-*.yaml")
	l.must(err)
	_, err = f.WriteString("version: 1\n" + text)
	l.must(err)
	l.must(f.Close())
	return f.Name()
}
