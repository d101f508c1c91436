package app

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/delivery"
)

func TestApp_Actor(t *testing.T) {
	ben := delivery.Actor{Issuer: "os:build-1", Subject: "1001", Name: "ben", Means: delivery.MeansOS}
	named := ben
	named.Name, named.Account, named.Means = "ann", "ben", delivery.MeansEnvironment
	github := []string{"GITHUB_ACTIONS=true", "GITHUB_ACTOR=ann", "GITHUB_ACTOR_ID=7", "GITHUB_SERVER_URL=https://github.com", "USER=runner"}
	for _, c := range []struct {
		name    string
		environ []string
		want    delivery.Actor
	}{
		{"GitHub", github, delivery.Actor{Issuer: "https://github.com", Subject: "7", Name: "ann", Means: delivery.MeansCI}},
		{
			"GitLab", []string{"GITLAB_CI=true", "GITLAB_USER_LOGIN=ann", "GITLAB_USER_ID=8", "CI_SERVER_URL=https://gitlab.example", "USER=root"},
			delivery.Actor{Issuer: "https://gitlab.example", Subject: "8", Name: "ann", Means: delivery.MeansCI},
		},
		{
			"Jenkins", []string{"JENKINS_URL=https://ci.example/", "BUILD_USER_ID=ann", "USER=jenkins"},
			delivery.Actor{Issuer: "https://ci.example/", Subject: "ann", Name: "ann", Means: delivery.MeansCI},
		},
		{"Jenkins without a user", []string{"JENKINS_URL=https://ci.example/", "USER=jenkins"}, ben},
		{"the variable wins", append(github, "SLIPWAY_ACTOR=ben"), delivery.Actor{Issuer: "https://github.com", Subject: "7", Name: "ben", Account: "ann", Means: delivery.MeansEnvironment}},
		{"GitHub's variable outside GitHub", []string{"GITHUB_ACTOR=ann", "USER=ben"}, named},
		{"GitLab's variable outside GitLab", []string{"GITLAB_USER_LOGIN=ann", "USER=ben"}, ben},
		{"a user", []string{"SLIPWAY_ACTOR=", "USER=mallory", "LOGNAME=cy"}, ben},
		{"a login", []string{"LOGNAME=cy"}, ben},
		{"the variable is a name only", []string{"SLIPWAY_ACTOR=ann"}, named},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, (&App{Environ: c.environ, User: func() delivery.Actor { return ben }}).actor()); diff != "" {
				t.Errorf("actor (-want +got):\n%s", diff)
			}
		})
	}
	if a := (&App{}).actor(); a.Name == "" || a.Issuer == "" || a.Subject == "" || a.Means != delivery.MeansOS {
		t.Errorf("actor without an environment: %+v, want the user of the process", a)
	}
}
