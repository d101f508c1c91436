package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/slipway-cd/slipway/bench/measure"
)

// namespace is a namespace of the cluster, and a kubeconfig with it as default.
type namespace struct {
	*bench
	toolName   string // for messages
	name, dir  string
	kubeconfig string
}

// createNamespace creates a namespace and a folder.
func (b *bench) createNamespace(ctx context.Context, name string) (*namespace, error) {
	id := fmt.Sprintf("bench-%08x", rand.Uint32())
	p := &namespace{bench: b, toolName: name, name: id, dir: filepath.Join(b.work, id)}
	if err := os.MkdirAll(p.dir, 0o755); err != nil {
		return nil, fmt.Errorf("create a folder: %w", err)
	}
	if _, err := b.cluster.Kubectl(ctx, "create", "namespace", p.name); err != nil {
		return nil, err
	}
	b.namespaces = append(b.namespaces, p)
	text, err := os.ReadFile(b.cluster.Kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("read the kubeconfig: %w", err)
	}
	p.kubeconfig = filepath.Join(p.dir, "kubeconfig")
	if err := os.WriteFile(p.kubeconfig, text, 0o600); err != nil {
		return nil, fmt.Errorf("write a kubeconfig: %w", err)
	}
	_, err = p.exec(ctx, 0, "kubectl", "config", "set-context", "--current", "--namespace", p.name)
	return p, err
}

// command returns a command that runs in the namespace's folder with its kubeconfig.
func (p *namespace) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := measure.Command(ctx, p.dir, name, args...)
	cmd.Env = append(cmd.Env, "KUBECONFIG="+p.kubeconfig)
	return cmd
}

func (p *namespace) exec(ctx context.Context, code int, name string, args ...string) (string, error) {
	return measure.ExecCmd(p.command(ctx, name, args...), code)
}

// createServiceAccount creates Slipway's least-privilege service account in the
// namespace. It uses the given proxy, if any, in place of the API server.
func (p *namespace) createServiceAccount(ctx context.Context, server *apiProxy) error {
	if _, err := p.exec(ctx, 0, "kubectl", "apply", "-f", filepath.Join(p.root, "docs", "kubernetes-role.yaml")); err != nil {
		return err
	}
	token, err := p.exec(ctx, 0, "kubectl", "create", "token", "slipway", "--duration=12h")
	if err != nil {
		return err
	}
	commands := [][]string{
		{"set-credentials", "slipway", "--token", strings.TrimSpace(token)},
		{"set-context", "--current", "--user", "slipway"},
	}
	if server != nil {
		commands = append(commands,
			[]string{"set-cluster", "proxy", "--server", server.server.URL, "--certificate-authority", server.caFile, "--embed-certs"},
			[]string{"set-context", "--current", "--cluster", "proxy"})
	}
	for _, args := range commands {
		if _, err := p.exec(ctx, 0, "kubectl", append([]string{"config"}, args...)...); err != nil {
			return err
		}
	}
	return nil
}

// serviceURL returns the Service's URL, which is reachable from this machine.
func (p *namespace) serviceURL(ctx context.Context) (string, error) {
	ip, err := p.cluster.Kubectl(ctx, "-n", p.name, "get", "service", "tiny", "-o", "jsonpath={.spec.clusterIP}")
	return "http://" + strings.TrimSpace(ip), err
}
