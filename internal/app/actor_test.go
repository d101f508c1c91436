package app

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/delivery"
)

func TestApp_Actor(t *testing.T) {
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
		{"Jenkins without a user", []string{"JENKINS_URL=https://ci.example/", "USER=jenkins"}, delivery.Actor{Name: "jenkins", Means: delivery.MeansOS}},
		{"the variable wins", append(github, "SLIPWAY_ACTOR=ben"), delivery.Actor{Name: "ben", Means: delivery.MeansEnvironment}},
		{"GitHub's variable outside GitHub", []string{"GITHUB_ACTOR=ann", "USER=ben"}, delivery.Actor{Name: "ann", Means: delivery.MeansEnvironment}},
		{"GitLab's variable outside GitLab", []string{"GITLAB_USER_LOGIN=ann", "USER=ben"}, delivery.Actor{Name: "ben", Means: delivery.MeansOS}},
		{"a user", []string{"SLIPWAY_ACTOR=", "USER=ben", "LOGNAME=cy"}, delivery.Actor{Name: "ben", Means: delivery.MeansOS}},
		{"a login", []string{"LOGNAME=cy"}, delivery.Actor{Name: "cy", Means: delivery.MeansOS}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, (&App{Environ: c.environ}).actor()); diff != "" {
				t.Errorf("actor (-want +got):\n%s", diff)
			}
		})
	}
	if a := (&App{}).actor(); a.Name == "" || a.Means != delivery.MeansOS {
		t.Errorf("actor without an environment: %+v, want the user of the process", a)
	}
}
