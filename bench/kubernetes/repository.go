package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"

	"github.com/slipway-cd/slipway/bench/measure"
)

// testRepository is the repository that Slipway delivers. It has an environment for
// each deployer, so that they all deploy the same image from the same registry.
type testRepository struct {
	*bench
	dir      string
	registry string // the nodes pull from it
	projects []*slipwayDeployer
}

// createRepository creates a repository with the tiny service.
func (b *bench) createRepository(ctx context.Context) (*testRepository, error) {
	r := &testRepository{bench: b, dir: filepath.Join(b.work, "repo"), registry: fmt.Sprintf("127.0.0.1:%d", 20000+rand.IntN(20000))}
	if err := os.CopyFS(r.dir, os.DirFS(filepath.Join(b.root, "e2e", "testdata", "tiny"))); err != nil {
		return nil, fmt.Errorf("copy the tiny service: %w", err)
	}
	if _, err := measure.Exec(ctx, 0, r.dir, "git", "init", "-q", "-b", "main"); err != nil {
		return nil, err
	}
	return r, nil
}

// registryToken lets the benchmark tag its image.
const registryToken = "the benchmark tags its image with this"

// serveRegistry serves the repository's registry to the nodes until the benchmark
// ends. s is the environment that slipway.yaml is configured for.
func (r *testRepository) serveRegistry(s *slipwayDeployer) error {
	if err := r.configure(s); err != nil {
		return err
	}
	cmd := r.cluster.Command(r.slipway, "registry", "--listen", r.registry, "--writable")
	cmd.Dir = r.dir
	cmd.Env = append(measure.Command(context.Background(), r.dir, "").Env, "SLIPWAY_REGISTRY_TOKEN="+registryToken)
	said, err := cmd.StdoutPipe()
	if err != nil {
		return fmt.Errorf("start a registry: %w", err)
	}
	if err := r.startProcess(cmd); err != nil {
		return fmt.Errorf("start a registry: %w", err)
	}
	if _, err := said.Read(make([]byte, 1)); err != nil { // it prints its address once it listens
		return fmt.Errorf("start a registry: %w", err)
	}
	return nil
}

// commit writes an environment's manifests and the configuration with its strategy.
func (r *testRepository) commit(ctx context.Context, s *slipwayDeployer, manifests []byte, message string) error {
	dir := filepath.Join(r.dir, "k8s", s.env)
	err := os.MkdirAll(dir, 0o755)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "tiny.yaml"), manifests, 0o644)
	}
	if err == nil {
		err = r.configure(s)
	}
	if err != nil {
		return fmt.Errorf("write the repository: %w", err)
	}
	for _, args := range [][]string{{"add", "-A"}, {"commit", "-q", "-m", message}} {
		if _, err := measure.Exec(ctx, 0, r.dir, "git", args...); err != nil {
			return err
		}
	}
	return nil
}

// configure writes slipway.yaml. Manifests and strategy apply to all environments, so
// they are those of the environment that is delivered.
func (r *testRepository) configure(of *slipwayDeployer) error {
	var text strings.Builder
	fmt.Fprintf(&text, `version: 1
service: tiny
image: {build: {go: ., inputs: ["*.go", go.mod]}, repository: tiny}
deploy: {manifests: [k8s/%s/], strategy: %s}
environments:
`, of.env, of.strategy)
	for _, s := range r.projects {
		fmt.Fprintf(&text, "  %s: {target: {kubernetes: {namespace: %s, registry: %q}}}\n", s.env, s.ns.name, r.registry)
	}
	return os.WriteFile(filepath.Join(r.dir, "slipway.yaml"), []byte(text.String()), 0o644)
}
