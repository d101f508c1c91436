package app

import (
	"cmp"
	"os"
	"os/user"
	"strconv"

	"github.com/slipway-cd/slipway/internal/delivery"
)

// actor returns the person or program behind a command. The identity is what the CI
// system vouches for, or else the operating system; SLIPWAY_ACTOR only gives it another
// name.
func (a *App) actor() delivery.Actor {
	who, inCI := a.ciActor()
	if !inCI {
		who = a.osActor()
	}
	name := a.Variable("SLIPWAY_ACTOR")
	if name == "" && !inCI {
		name = a.Variable("GITHUB_ACTOR")
	}
	if name != "" {
		who = who.Claiming(name, delivery.MeansEnvironment)
	}
	return who
}

// ciActor is the user whose push, click or schedule started the job. The variables count
// only in the system's own jobs.
func (a *App) ciActor() (who delivery.Actor, ok bool) {
	for _, ci := range []struct{ job, name, subject, issuer string }{
		{"GITHUB_ACTIONS", "GITHUB_ACTOR", "GITHUB_ACTOR_ID", "GITHUB_SERVER_URL"},
		{"GITLAB_CI", "GITLAB_USER_LOGIN", "GITLAB_USER_ID", "CI_SERVER_URL"},
		{"JENKINS_URL", "BUILD_USER_ID", "BUILD_USER_ID", "JENKINS_URL"},
	} {
		if name := a.Variable(ci.name); name != "" && a.Variable(ci.job) != "" {
			return delivery.Actor{Issuer: a.Variable(ci.issuer), Subject: a.Variable(ci.subject), Name: name, Means: delivery.MeansCI}, true
		}
	}
	return who, false
}

// osActor is the user of the operating system. Variables such as USER only name one that
// the system has no name for.
func (a *App) osActor() delivery.Actor {
	if a.User != nil {
		return a.User()
	}
	host, _ := os.Hostname()
	who := delivery.Actor{Issuer: delivery.OSIssuer + host, Subject: strconv.Itoa(os.Getuid()), Means: delivery.MeansOS}
	if u, err := user.Current(); err == nil {
		who.Subject, who.Name = u.Uid, u.Username
	}
	if who.Name == "" {
		who.Name = cmp.Or(a.Variable("USER"), a.Variable("LOGNAME"), "uid "+who.Subject)
	}
	return who
}
