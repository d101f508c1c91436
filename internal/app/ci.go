package app

import (
	"strings"

	"github.com/slipway-cd/slipway/internal/plan"
)

// ci returns the CI job that the command runs in, or nil outside of a CI. The branch
// of a CI that Slipway does not know is that of the trigger.
func (a *App) ci(t plan.Trigger) *plan.CI {
	switch {
	case a.variable("GITHUB_ACTIONS") == "true":
		return a.githubCI()
	case a.variable("GITLAB_CI") != "":
		return a.gitlabCI()
	case a.variable("JENKINS_URL") != "" || a.variable("BUILD_ID") != "":
		return a.jenkinsCI(t)
	case a.variable("CI") == "true":
		return claimed(plan.CI{Name: "unknown"}, t)
	}
	return nil
}

func (a *App) githubCI() *plan.CI {
	job := plan.CI{Name: "github", Event: plan.PushEvent}
	switch {
	case strings.HasPrefix(a.variable("GITHUB_EVENT_NAME"), string(plan.PullRequestEvent)): // or pull_request_target
		job.Event, job.Branch = plan.PullRequestEvent, a.variable("GITHUB_BASE_REF")
	case a.variable("GITHUB_REF_TYPE") == "tag":
		job.Tag = a.variable("GITHUB_REF_NAME")
	default:
		job.Branch = a.variable("GITHUB_REF_NAME")
	}
	return &job
}

func (a *App) gitlabCI() *plan.CI {
	job := plan.CI{Name: "gitlab", Event: plan.PushEvent, Tag: a.variable("CI_COMMIT_TAG")}
	switch {
	case a.variable("CI_PIPELINE_SOURCE") == "merge_request_event":
		job.Event, job.Branch = plan.PullRequestEvent, a.variable("CI_MERGE_REQUEST_TARGET_BRANCH_NAME")
	case job.Tag == "":
		job.Branch = a.variable("CI_COMMIT_REF_NAME")
	}
	return &job
}

// jenkinsCI reads what multibranch pipelines and the git plugin set. A job with
// neither checks out what it was configured to.
func (a *App) jenkinsCI(t plan.Trigger) *plan.CI {
	job := plan.CI{Name: "jenkins", Event: plan.PushEvent, Tag: a.variable("TAG_NAME")}
	switch base, branch := a.variable("CHANGE_TARGET"), a.variable("BRANCH_NAME"); {
	case base != "":
		job.Event, job.Branch = plan.PullRequestEvent, base
	case job.Tag != "":
	case branch != "":
		job.Branch = branch
	case a.variable("GIT_BRANCH") != "":
		job.Branch = strings.TrimPrefix(a.variable("GIT_BRANCH"), "origin/")
	default:
		return claimed(job, t)
	}
	return &job
}

// claimed returns the job with what the options say, because nothing else does.
func claimed(job plan.CI, t plan.Trigger) *plan.CI {
	job.Event, job.Branch, job.Tag = t.Event, t.Branch, t.Tag
	if t.Tag != "" {
		job.Branch = ""
	}
	return &job
}

// variable returns a variable of the environment, or "".
func (a *App) variable(name string) string {
	value, _ := a.getenv(name)
	return value
}
