package main

import (
	"context"
	"path/filepath"
	"time"
)

// helmDeployer is `helm upgrade` with its own rollback.
type helmDeployer struct {
	at   *namespace
	path string
}

func newHelm(ctx context.Context, at *namespace) (deployer, error) {
	at.toolName = "helm upgrade --rollback-on-failure"
	path, err := at.buildTool(ctx, program{"helm", "helm.sh/helm/v4", "cmd/helm"})
	return helmDeployer{at, path}, err
}

func (h helmDeployer) namespace() *namespace { return h.at }

func (h helmDeployer) deploy(ctx context.Context, r release) (t deployResult, err error) {
	args := []string{"upgrade", "tiny", filepath.Join(h.at.root, "bench", "kubernetes", "chart"),
		"--install", "--rollback-on-failure", "--wait", "--timeout", h.at.timeout.String()}
	for key, value := range manifestValues(h.at.image.digest(), r) {
		args = append(args, "--set-string", key+"="+value)
	}
	t.started = time.Now()
	t.succeeded, err = runTool(h.at.command(ctx, h.path, args...))
	t.finished = time.Now()
	return t, err
}
