package app

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/plan"
)

// TestTrigger_FromCI holds what is read from the environment of each CI, which options
// may add to but not replace.
func TestTrigger_FromCI(t *testing.T) {
	push := func(name, branch string) *plan.CI {
		return &plan.CI{Name: name, Event: plan.PushEvent, Branch: branch}
	}
	pull := func(name, base string) *plan.CI {
		return &plan.CI{Name: name, Event: plan.PullRequestEvent, Branch: base}
	}
	tag := func(name string) *plan.CI { return &plan.CI{Name: name, Event: plan.PushEvent, Tag: "v1"} }
	for name, c := range map[string]struct {
		environ []string
		options RunOptions
		branch  string // that is checked out
		want    plan.Trigger
	}{
		"a person":             {nil, RunOptions{}, "topic", plan.Trigger{Event: plan.PushEvent, Branch: "topic"}},
		"a person's options":   {nil, RunOptions{Event: "pull_request", Branch: "main"}, "topic", plan.Trigger{Event: plan.PullRequestEvent, Branch: "main"}},
		"github push":          {[]string{"GITHUB_ACTIONS=true", "GITHUB_EVENT_NAME=push", "GITHUB_REF_NAME=main"}, RunOptions{}, "", plan.Trigger{Event: plan.PushEvent, Branch: "main", CI: push("github", "main")}},
		"github dispatch":      {[]string{"GITHUB_ACTIONS=true", "GITHUB_EVENT_NAME=workflow_dispatch", "GITHUB_REF_TYPE=branch", "GITHUB_REF_NAME=topic"}, RunOptions{}, "", plan.Trigger{Event: plan.PushEvent, Branch: "topic", CI: push("github", "topic")}},
		"github pull request":  {[]string{"GITHUB_ACTIONS=true", "GITHUB_EVENT_NAME=pull_request", "GITHUB_REF_NAME=7/merge", "GITHUB_BASE_REF=main"}, RunOptions{}, "", plan.Trigger{Event: plan.PullRequestEvent, Branch: "main", CI: pull("github", "main")}},
		"github tag":           {[]string{"GITHUB_ACTIONS=true", "GITHUB_EVENT_NAME=push", "GITHUB_REF_TYPE=tag", "GITHUB_REF_NAME=v1"}, RunOptions{}, "main", plan.Trigger{Event: plan.PushEvent, Tag: "v1", CI: tag("github")}},
		"options in github":    {[]string{"GITHUB_ACTIONS=true", "GITHUB_EVENT_NAME=push", "GITHUB_REF_NAME=topic"}, RunOptions{Branch: "main"}, "", plan.Trigger{Event: plan.PushEvent, Branch: "main", CI: push("github", "topic")}},
		"gitlab push":          {[]string{"GITLAB_CI=true", "CI=true", "CI_COMMIT_REF_NAME=main"}, RunOptions{}, "", plan.Trigger{Event: plan.PushEvent, Branch: "main", CI: push("gitlab", "main")}},
		"gitlab merge request": {[]string{"GITLAB_CI=true", "CI_PIPELINE_SOURCE=merge_request_event", "CI_MERGE_REQUEST_TARGET_BRANCH_NAME=main", "CI_COMMIT_REF_NAME=topic"}, RunOptions{}, "", plan.Trigger{Event: plan.PullRequestEvent, Branch: "main", CI: pull("gitlab", "main")}},
		"gitlab tag":           {[]string{"GITLAB_CI=true", "CI_COMMIT_TAG=v1", "CI_COMMIT_REF_NAME=v1"}, RunOptions{}, "", plan.Trigger{Event: plan.PushEvent, Tag: "v1", CI: tag("gitlab")}},
		"jenkins multibranch":  {[]string{"JENKINS_URL=http://ci", "BRANCH_NAME=main", "GIT_BRANCH=origin/other"}, RunOptions{}, "", plan.Trigger{Event: plan.PushEvent, Branch: "main", CI: push("jenkins", "main")}},
		"jenkins git":          {[]string{"BUILD_ID=7", "GIT_BRANCH=origin/main"}, RunOptions{}, "", plan.Trigger{Event: plan.PushEvent, Branch: "main", CI: push("jenkins", "main")}},
		"jenkins pull request": {[]string{"JENKINS_URL=http://ci", "BRANCH_NAME=PR-7", "CHANGE_TARGET=main"}, RunOptions{}, "", plan.Trigger{Event: plan.PullRequestEvent, Branch: "main", CI: pull("jenkins", "main")}},
		"jenkins tag":          {[]string{"JENKINS_URL=http://ci", "BRANCH_NAME=v1", "TAG_NAME=v1"}, RunOptions{}, "", plan.Trigger{Event: plan.PushEvent, Tag: "v1", CI: tag("jenkins")}},
		"jenkins without git":  {[]string{"JENKINS_URL=http://ci"}, RunOptions{Branch: "main"}, "", plan.Trigger{Event: plan.PushEvent, Branch: "main", CI: push("jenkins", "main")}},
		"azure pull request":   {[]string{"TF_BUILD=True", "BUILD_REASON=PullRequest", "SYSTEM_PULLREQUEST_TARGETBRANCH=refs/heads/main"}, RunOptions{Event: "push"}, "", plan.Trigger{Event: plan.PushEvent, CI: pull("azure", "main")}},
		"buildkite push":       {[]string{"BUILDKITE=true", "CI=true", "BUILDKITE_PULL_REQUEST=false"}, RunOptions{}, "main", plan.Trigger{Event: plan.PushEvent, Branch: "main", CI: push("unknown", "main")}},
		"circleci fork":        {[]string{"CIRCLECI=true", "CIRCLE_PR_NUMBER=7"}, RunOptions{}, "topic", plan.Trigger{Event: plan.PullRequestEvent, Branch: "topic", CI: pull("circleci", "topic")}},
		"gitlab child":         {[]string{"GITLAB_CI=true", "CI_PIPELINE_SOURCE=parent_pipeline", "CI_MERGE_REQUEST_IID=7", "CI_MERGE_REQUEST_TARGET_BRANCH_NAME=main"}, RunOptions{}, "", plan.Trigger{Event: plan.PullRequestEvent, Branch: "main", CI: pull("gitlab", "main")}},
		"github follows":       {[]string{"GITHUB_ACTIONS=true", "GITHUB_EVENT_NAME=workflow_run", "GITHUB_REF_NAME=main", "GITHUB_EVENT_PATH=testdata/no-such-file"}, RunOptions{}, "", plan.Trigger{Event: plan.PullRequestEvent, Branch: "main", CI: pull("github", "main")}},
		"a person's tag":       {nil, RunOptions{Tag: "v1"}, "topic", plan.Trigger{Event: plan.PushEvent, Tag: "v1"}},
		"branch for a tag":     {[]string{"GITLAB_CI=true", "CI_COMMIT_TAG=v1"}, RunOptions{Branch: "main"}, "", plan.Trigger{Event: plan.PushEvent, Branch: "main", CI: tag("gitlab")}},
		"another's tag":        {[]string{"CI=true"}, RunOptions{Tag: "v1"}, "topic", plan.Trigger{Event: plan.PushEvent, Tag: "v1", CI: tag("unknown")}},
		"another":              {[]string{"CI=true"}, RunOptions{}, "topic", plan.Trigger{Event: plan.PushEvent, Branch: "topic", CI: push("unknown", "topic")}},
		"another's options":    {[]string{"CI=true"}, RunOptions{Event: "pull_request", Branch: "main"}, "", plan.Trigger{Event: plan.PullRequestEvent, Branch: "main", CI: pull("unknown", "main")}},
	} {
		t.Run(name, func(t *testing.T) {
			a := App{Environ: append([]string{"SLIPWAY_ACTOR=ann"}, c.environ...)}
			got := a.trigger(c.options, delivery.Commit{Branch: c.branch})
			if by := got.StartedBy(); by.Name != "ann" || got.By != "ann" {
				t.Errorf("started by %q, actor %+v, want ann", got.By, by)
			}
			got.By, got.Actor = "", delivery.Actor{}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("trigger (-want +got):\n%s", diff)
			}
		})
	}
}
