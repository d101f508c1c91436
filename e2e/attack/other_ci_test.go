//go:build linux

package attack

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestOtherCI: only three CIs were known. In the others, and in jobs of GitHub's that
// follow a workflow, a pull request passed for a push, and read every secret of the job.
func TestOtherCI(t *testing.T) {
	l := newLab(t)
	mark := filepath.Join(l.base, "leak")
	l.write("slipway.yaml", `version: 1
service: tiny
test: [{name: leak, run: 'echo "$X" >`+mark+`', env: {X: "${COSIGN_PASSWORD}"}}]
image: {build: {go: .}, repository: tiny}
environments: {dev: {on: {pull_request: main, push: main, dispatch: any}, until: test}}
`)
	l.commit("leak")
	l.write("../event.json", `{"workflow_run": {"event": "pull_request", "pull_requests": [{"base": {"ref": "main"}}]}}`)
	l.write("../push.json", `{"workflow_run": {"event": "push"}}`)
	for _, job := range []string{
		"TF_BUILD=True BUILD_REASON=PullRequest SYSTEM_PULLREQUEST_TARGETBRANCH=refs/heads/main",
		"TF_BUILD=True SYSTEM_PULLREQUEST_PULLREQUESTID=7 SYSTEM_PULLREQUEST_TARGETBRANCH=main",
		"APPVEYOR=True CI=True APPVEYOR_PULL_REQUEST_NUMBER=7 APPVEYOR_REPO_BRANCH=main",
		"BITBUCKET_BUILD_NUMBER=1 CI=true BITBUCKET_PR_ID=7 BITBUCKET_PR_DESTINATION_BRANCH=main",
		"BUILDKITE=true CI=true BUILDKITE_PULL_REQUEST=7 BUILDKITE_PULL_REQUEST_BASE_BRANCH=main",
		"CIRCLECI=true CI=true CIRCLE_PR_NUMBER=7",
		"CIRRUS_CI=true CI=true CIRRUS_PR=7 CIRRUS_BASE_BRANCH=main",
		"CODEBUILD_BUILD_ID=a:1 CODEBUILD_WEBHOOK_TRIGGER=pr/7 CODEBUILD_WEBHOOK_BASE_REF=refs/heads/main",
		"DRONE=true CI=true DRONE_PULL_REQUEST=7 DRONE_TARGET_BRANCH=main",
		"GITLAB_CI=true CI_PIPELINE_SOURCE=external_pull_request_event CI_EXTERNAL_PULL_REQUEST_IID=7 CI_EXTERNAL_PULL_REQUEST_TARGET_BRANCH_NAME=main",
		"GITLAB_CI=true CI_PIPELINE_SOURCE=parent_pipeline CI_MERGE_REQUEST_IID=7 CI_MERGE_REQUEST_TARGET_BRANCH_NAME=main",
		"JENKINS_URL=https://j ghprbPullId=7 ghprbTargetBranch=main",
		"PROW_JOB_ID=1 PULL_NUMBER=7 PULL_BASE_REF=main",
		"SEMAPHORE=true CI=true SEMAPHORE_GIT_PR_NUMBER=7 SEMAPHORE_GIT_BRANCH=main",
		"TRAVIS=true CI=true TRAVIS_PULL_REQUEST=7 TRAVIS_BRANCH=main",
		"CI=woodpecker CI_PIPELINE_EVENT=pull_request CI_COMMIT_TARGET_BRANCH=main",
		"GITHUB_ACTIONS=true GITHUB_EVENT_NAME=workflow_run GITHUB_REF_NAME=main GITHUB_EVENT_PATH=" + filepath.Join(l.base, "event.json"),
		"GITHUB_ACTIONS=true GITHUB_EVENT_NAME=workflow_run GITHUB_REF_NAME=main GITHUB_EVENT_PATH=/nowhere",
	} {
		r := l.with("COSIGN_PASSWORD=stolen").with(strings.Fields(job)...).slipway("run", "--env", "dev")
		if l.exists(mark) {
			t.Fatalf("%s: the pull request read %s%s", job, l.read(mark), r)
		}
		r.wantExit(1).wantText("a pull request may not use the variable COSIGN_PASSWORD")
	}
	// What is pushed is still a push.
	for _, job := range []string{
		"BUILDKITE=true CI=true BUILDKITE_PULL_REQUEST=false", "TRAVIS=true CI=true TRAVIS_PULL_REQUEST=false", "TF_BUILD=True BUILD_REASON=IndividualCI",
		"GITHUB_ACTIONS=true GITHUB_EVENT_NAME=workflow_run GITHUB_REF_NAME=main GITHUB_EVENT_PATH=" + filepath.Join(l.base, "push.json"),
	} {
		l.with("COSIGN_PASSWORD=passed").with(strings.Fields(job)...).slipway("plan", "--env", "dev").wantNoText("may not use")
	}
}
