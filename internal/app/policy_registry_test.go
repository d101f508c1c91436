package app

import (
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/config"
	"github.com/slipway-cd/slipway/internal/extension"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/plan"
	"github.com/slipway-cd/slipway/internal/policy"
	"github.com/slipway-cd/slipway/internal/port"
)

type registrySection struct {
	URL   extension.Secret
	Token extension.Secret
}

// TestCheckModelRegistry comes before any request: a commit that names another server
// must not get the token by being planned.
func TestCheckModelRegistry(t *testing.T) {
	kinds := extension.Set{ModelRegistries: []extension.ModelRegistry{{
		Kind:    "shelf",
		Address: func(section any) extension.Secret { return section.(*registrySection).URL },
		New:     func(extension.Host, any) (port.ModelRegistry, error) { return nil, nil },
	}}}
	const server = "https://shelf.example"
	pull := plan.Trigger{Event: plan.PullRequestEvent}
	for _, c := range []struct {
		name, policy string
		section      registrySection
		trigger      plan.Trigger
		want         string // empty: it is allowed
	}{
		{name: "push", section: registrySection{server, "${TOKEN}"}},
		{name: "pull request with a token", section: registrySection{server, "${TOKEN}"}, trigger: pull, want: "model.registry: a pull request may not use the variable TOKEN"},
		{name: "pull request without one", section: registrySection{URL: server}, trigger: pull},
		{name: "released token for any server", policy: "secrets: {pull_request: [TOKEN]}", section: registrySection{server, "${TOKEN}"}, trigger: pull, want: "a pull request may not choose that https://shelf.example gets a token"},
		{
			name: "released token for a listed server", policy: "secrets: {pull_request: [TOKEN]}\naddresses: {model_registries: [\"" + server + "\"]}",
			section: registrySection{server, "${TOKEN}"}, trigger: pull,
		},
		{name: "server that is not listed", policy: "addresses: {model_registries: [\"https://other.example\"]}", section: registrySection{URL: server}, want: "model.registry: https://shelf.example: not allowed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &session{
				app:     &App{Kinds: kinds, Environ: []string{"TOKEN=t0ken"}},
				project: config.Project{Model: &config.Model{Registry: config.Registry{Kind: "shelf", Section: &c.section}}}, trigger: c.trigger,
			}
			if c.policy != "" {
				d, err := policy.Parse("policy.yaml", []byte("version: 1\n"+c.policy))
				if err != nil {
					t.Fatal(err)
				}
				s.policy = s.policy.With("policy.yaml", d)
			}
			err := s.checkModelRegistry()
			if c.want == "" {
				if err != nil {
					t.Errorf("error = %v, want none", err)
				}
				return
			}
			if !fault.Is(err, fault.Denied) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error = %v, want %s with %q", err, fault.Denied, c.want)
			}
		})
	}
}
