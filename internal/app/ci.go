package app

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/plan"
)

// ci returns the CI job that the command runs in, or nil outside of a CI. The branch
// of a CI that Slipway does not know is that of the trigger.
func (a *App) ci(t plan.Trigger) *plan.CI {
	if job := a.pullRequestCI(); job != nil {
		job.Branch = cmp.Or(job.Branch, t.Branch)
		return job
	}
	switch {
	case a.Variable("GITHUB_ACTIONS") == "true":
		return a.githubCI()
	case a.Variable("GITLAB_CI") != "":
		return a.gitlabCI()
	case a.Variable("JENKINS_URL") != "" || a.Variable("BUILD_ID") != "":
		return a.jenkinsCI(t)
	case a.Variable("CI") == "true":
		return claimed(plan.CI{Name: "unknown"}, t)
	}
	return nil
}

func (a *App) githubCI() *plan.CI {
	job := plan.CI{Name: "github", Event: plan.PushEvent}
	follows, base := a.followsPullRequest()
	switch {
	case follows:
		job.Event, job.Branch = plan.PullRequestEvent, cmp.Or(base, a.Variable("GITHUB_REF_NAME"))
	case strings.HasPrefix(a.Variable("GITHUB_EVENT_NAME"), string(plan.PullRequestEvent)): // or pull_request_target
		job.Event, job.Branch = plan.PullRequestEvent, a.Variable("GITHUB_BASE_REF")
	case a.Variable("GITHUB_REF_TYPE") == "tag":
		job.Tag = a.Variable("GITHUB_REF_NAME")
	default:
		job.Branch = a.Variable("GITHUB_REF_NAME")
	}
	return &job
}

func (a *App) gitlabCI() *plan.CI {
	job := plan.CI{Name: "gitlab", Event: plan.PushEvent, Tag: a.Variable("CI_COMMIT_TAG")}
	switch {
	case a.Variable("CI_PIPELINE_SOURCE") == "merge_request_event":
		job.Event, job.Branch = plan.PullRequestEvent, a.Variable("CI_MERGE_REQUEST_TARGET_BRANCH_NAME")
	case job.Tag == "":
		job.Branch = a.Variable("CI_COMMIT_REF_NAME")
	}
	return &job
}

// jenkinsCI reads what multibranch pipelines and the git plugin set. A job with
// neither checks out what it was configured to.
func (a *App) jenkinsCI(t plan.Trigger) *plan.CI {
	job := plan.CI{Name: "jenkins", Event: plan.PushEvent, Tag: a.Variable("TAG_NAME")}
	switch base, branch := a.Variable("CHANGE_TARGET"), a.Variable("BRANCH_NAME"); {
	case base != "":
		job.Event, job.Branch = plan.PullRequestEvent, base
	case job.Tag != "":
	case branch != "":
		job.Branch = branch
	case a.Variable("GIT_BRANCH") != "":
		job.Branch = strings.TrimPrefix(a.Variable("GIT_BRANCH"), "origin/")
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

// writeCIOutputs appends what a run delivered to the outputs of a GitHub Actions step,
// for the steps and jobs after it.
func (a *App) writeCIOutputs(rep RunReport) error {
	file := a.Variable("GITHUB_OUTPUT")
	if file == "" || a.Variable("GITHUB_ACTIONS") != "true" {
		return nil
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644)
	if err != nil {
		return fault.New(fault.FileKind(err), "write the outputs of the step to %s", file).Cause(err)
	}
	_, err = f.WriteString(ciOutputs(rep))
	if err := errors.Join(err, f.Close()); err != nil {
		return fault.New(fault.FileKind(err), "write the outputs of the step to %s", file).Cause(err)
	}
	return nil
}

// ciOutputs are the outputs, one a line.
func ciOutputs(rep RunReport) string {
	values := [][2]string{
		{"run", string(rep.Run)}, {"environment", string(rep.Environment)}, {"outcome", string(rep.Outcome)}, {"release", string(rep.Release)}, {"url", rep.URL},
	}
	if img := rep.Image; img != nil {
		values = append(values, [][2]string{{"image", img.Reference}, {"digest", string(img.Digest)}, {"tag", img.Tag}}...)
	}
	if rep.Model != nil {
		values = append(values, [2]string{"model", rep.Model.String()})
	}
	var out strings.Builder
	for _, v := range values {
		fmt.Fprintf(&out, "%s=%s\n", v[0], strings.ReplaceAll(v[1], "\n", " "))
	}
	return out.String()
}

// Variable returns a variable of the environment, or "".
func (a *App) Variable(name string) string {
	value, _ := a.getenv(name)
	return value
}
