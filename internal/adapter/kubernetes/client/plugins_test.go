package client_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/client"
	"github.com/slipway-cd/slipway/internal/fault"
)

// TestConnect_KubeconfigOfRepository: one that comes with the repository names no
// program to run, and no file to send.
func TestConnect_KubeconfigOfRepository(t *testing.T) {
	users := map[string]string{
		"exec":     `{exec: {apiVersion: client.authentication.k8s.io/v1, command: ./steal, interactiveMode: Never}}`,
		"provider": `{auth-provider: {name: oidc, config: {}}}`,
		"file":     `{tokenFile: /etc/hostname}`,
		"token":    `{token: abc}`,
	}
	for _, c := range []struct {
		name, user, kubeconfig, service string
		git, denied                     bool
	}{
		{name: "program beside the project", user: "exec", kubeconfig: "repo/kc", service: "repo", denied: true},
		{name: "program in a folder of the project", user: "exec", kubeconfig: "repo/k8s/kc", service: "repo", denied: true},
		{name: "program elsewhere in the repository", user: "exec", kubeconfig: "repo/kc", service: "repo/services/api", git: true, denied: true},
		{name: "plugin", user: "provider", kubeconfig: "repo/kc", service: "repo", denied: true},
		{name: "file", user: "file", kubeconfig: "repo/kc", service: "repo", denied: true},
		{name: "token", user: "token", kubeconfig: "repo/kc", service: "repo"},
		{name: "program outside", user: "exec", kubeconfig: "home/kc", service: "repo", git: true},
		{name: "program beside a folder without git", user: "exec", kubeconfig: "home/kc", service: "home/services/api"},
	} {
		t.Run(c.name, func(t *testing.T) {
			top := t.TempDir()
			for _, dir := range []string{"repo/services/api", "repo/k8s", "home/services/api"} {
				if err := os.MkdirAll(filepath.Join(top, dir), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			if c.git {
				if err := os.Mkdir(filepath.Join(top, "repo", ".git"), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			path := filepath.Join(top, c.kubeconfig)
			text := `{apiVersion: v1, kind: Config, current-context: x, contexts: [{name: x, context: {cluster: c, user: u}}],
clusters: [{name: c, cluster: {server: "https://127.0.0.1:1"}}], users: [{name: u, user: ` + users[c.user] + `}]}`
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			t.Setenv("KUBECONFIG", path)
			for _, l := range []client.Location{{Kubeconfig: path}, {}} {
				l.Repository = filepath.Join(top, c.service)
				_, err := client.Connect(l, nil, nil)
				if fault.Is(err, fault.Denied) != c.denied {
					t.Errorf("%+v: error = %v, want it denied: %v", l, err, c.denied)
				}
				if c.denied && !strings.Contains(fault.HintOf(err), "$KUBECONFIG") {
					t.Errorf("hint = %q, want it to name $KUBECONFIG", fault.HintOf(err))
				}
			}
		})
	}
}
