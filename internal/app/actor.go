package app

import (
	"fmt"
	"os"
	"os/user"

	"github.com/slipway-cd/slipway/internal/delivery"
)

// actor returns the person or program behind a command: as SLIPWAY_ACTOR names it,
// as the CI system does, or else the user of the operating system.
func (a *App) actor() delivery.Actor {
	if name := a.Variable("SLIPWAY_ACTOR"); name != "" {
		return delivery.Actor{Name: name, Means: delivery.MeansEnvironment}
	}
	// CI systems name the user whose push, click or schedule started a job. The
	// variables count only in the system's own jobs.
	for _, ci := range []struct{ job, name, subject, issuer string }{
		{"GITHUB_ACTIONS", "GITHUB_ACTOR", "GITHUB_ACTOR_ID", "GITHUB_SERVER_URL"},
		{"GITLAB_CI", "GITLAB_USER_LOGIN", "GITLAB_USER_ID", "CI_SERVER_URL"},
		{"JENKINS_URL", "BUILD_USER_ID", "BUILD_USER_ID", "JENKINS_URL"},
	} {
		if name := a.Variable(ci.name); name != "" && a.Variable(ci.job) != "" {
			return delivery.Actor{Issuer: a.Variable(ci.issuer), Subject: a.Variable(ci.subject), Name: name, Means: delivery.MeansCI}
		}
	}
	if name := a.Variable("GITHUB_ACTOR"); name != "" {
		return delivery.Actor{Name: name, Means: delivery.MeansEnvironment}
	}
	for _, name := range []string{"USER", "LOGNAME"} {
		if v := a.Variable(name); v != "" {
			return delivery.Actor{Name: v, Means: delivery.MeansOS}
		}
	}
	if u, err := user.Current(); err == nil {
		return delivery.Actor{Name: u.Username, Means: delivery.MeansOS}
	}
	return delivery.Actor{Name: fmt.Sprintf("uid %d", os.Getuid()), Means: delivery.MeansOS}
}
