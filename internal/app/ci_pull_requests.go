package app

import (
	"encoding/json"
	"io"
	"os"
	"strings"

	"github.com/slipway-cd/slipway/internal/plan"
)

// pullRequestJob is how a CI marks the job of a pull request.
type pullRequestJob struct {
	name   string
	job    string // variable that all jobs of the CI have
	number string // variable that only those of pull requests have
	none   string // value of it that the others have
	prefix string // of the values that mean a pull request
	base   string // variable with the branch that it goes to
}

// pullRequestJobs are those of the CIs whose pushes Slipway does not tell apart otherwise,
// and of plugins. A job that is not recognized would use every variable that the pull
// request names.
var pullRequestJobs = []pullRequestJob{
	{name: "azure", job: "TF_BUILD", number: "SYSTEM_PULLREQUEST_PULLREQUESTID", base: "SYSTEM_PULLREQUEST_TARGETBRANCH"},
	{name: "azure", job: "TF_BUILD", number: "BUILD_REASON", prefix: "PullRequest", base: "SYSTEM_PULLREQUEST_TARGETBRANCH"},
	{name: "appveyor", job: "APPVEYOR", number: "APPVEYOR_PULL_REQUEST_NUMBER", base: "APPVEYOR_REPO_BRANCH"},
	{name: "bitbucket", job: "BITBUCKET_BUILD_NUMBER", number: "BITBUCKET_PR_ID", base: "BITBUCKET_PR_DESTINATION_BRANCH"},
	{name: "buildkite", job: "BUILDKITE", number: "BUILDKITE_PULL_REQUEST", none: "false", base: "BUILDKITE_PULL_REQUEST_BASE_BRANCH"},
	{name: "circleci", job: "CIRCLECI", number: "CIRCLE_PR_NUMBER"}, // of forks: the others are branches
	{name: "cirrus", job: "CIRRUS_CI", number: "CIRRUS_PR", base: "CIRRUS_BASE_BRANCH"},
	{name: "codebuild", job: "CODEBUILD_BUILD_ID", number: "CODEBUILD_WEBHOOK_TRIGGER", prefix: "pr/", base: "CODEBUILD_WEBHOOK_BASE_REF"},
	{name: "drone", job: "DRONE", number: "DRONE_PULL_REQUEST", base: "DRONE_TARGET_BRANCH"},
	{name: "gitlab", job: "GITLAB_CI", number: "CI_EXTERNAL_PULL_REQUEST_IID", base: "CI_EXTERNAL_PULL_REQUEST_TARGET_BRANCH_NAME"},
	{name: "gitlab", job: "GITLAB_CI", number: "CI_MERGE_REQUEST_IID", base: "CI_MERGE_REQUEST_TARGET_BRANCH_NAME"}, // of child pipelines, too
	{name: "jenkins", job: "JENKINS_URL", number: "ghprbPullId", base: "ghprbTargetBranch"},
	{name: "jenkins", job: "JENKINS_URL", number: "gitlabMergeRequestIid", base: "gitlabTargetBranch"},
	{name: "jenkins", job: "JENKINS_URL", number: "BITBUCKET_PULL_REQUEST_ID", base: "BITBUCKET_TARGET_BRANCH"},
	{name: "prow", job: "PROW_JOB_ID", number: "PULL_NUMBER", base: "PULL_BASE_REF"},
	{name: "semaphore", job: "SEMAPHORE", number: "SEMAPHORE_GIT_PR_NUMBER", base: "SEMAPHORE_GIT_BRANCH"},
	{name: "travis", job: "TRAVIS", number: "TRAVIS_PULL_REQUEST", none: "false", base: "TRAVIS_BRANCH"},
	{name: "woodpecker", job: "CI", number: "CI_PIPELINE_EVENT", prefix: "pull_request", base: "CI_COMMIT_TARGET_BRANCH"},
}

// pullRequestCI returns the job of a pull request in one of the other CIs; nil: it is none.
func (a *App) pullRequestCI() *plan.CI {
	for _, p := range pullRequestJobs {
		value := a.Variable(p.number)
		if a.Variable(p.job) == "" || value == "" || value == p.none || !strings.HasPrefix(value, p.prefix) {
			continue
		}
		return &plan.CI{Name: p.name, Event: plan.PullRequestEvent, Branch: strings.TrimPrefix(a.Variable(p.base), "refs/heads/")}
	}
	return nil
}

// isPullRequest reports whether the command is one of a pull request. A CI that reports
// one is believed whatever an option claims.
func (a *App) isPullRequest() bool {
	job := a.ci(plan.Trigger{Event: plan.PushEvent})
	return a.claimed == plan.PullRequestEvent || job != nil && job.Event == plan.PullRequestEvent
}

// during returns the App for a command that an option says is of an event. What the event
// may not use is not looked up even to read slipway.yaml, long before there is a plan.
func (a *App) during(event string) *App {
	of := *a
	of.claimed = plan.TriggerEvent(event)
	return &of
}

// maxEventFile is how much of the description of an event is read: GitHub limits it to
// 25 MB.
const maxEventFile = 32 << 20

// followsPullRequest reports whether a job of GitHub's follows the workflow of a pull
// request (workflow_run): it has the secrets of the repository, and if it checks out what
// that workflow was for, the code of the pull request. One whose event can't be read is
// taken for it. base is the branch that the pull request goes to, where the event has it.
func (a *App) followsPullRequest() (follows bool, base string) {
	if a.Variable("GITHUB_EVENT_NAME") != "workflow_run" {
		return false, ""
	}
	f, err := os.Open(a.Variable("GITHUB_EVENT_PATH"))
	if err != nil {
		return true, ""
	}
	defer f.Close()
	var event struct {
		Run struct {
			Event        string `json:"event"`
			PullRequests []struct {
				Base struct {
					Ref string `json:"ref"`
				} `json:"base"`
			} `json:"pull_requests"` // none for those of forks
		} `json:"workflow_run"`
	}
	if err := json.NewDecoder(io.LimitReader(f, maxEventFile)).Decode(&event); err != nil || event.Run.Event == "" {
		return true, ""
	}
	if all := event.Run.PullRequests; len(all) > 0 {
		base = all[0].Base.Ref
	}
	return strings.HasPrefix(event.Run.Event, string(plan.PullRequestEvent)), base
}
