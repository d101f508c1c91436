package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"time"
)

// rolloutsDeployer is Argo Rollouts: its controller rolls back by itself when the
// progress deadline, set to the benchmark's timeout, has passed.
type rolloutsDeployer struct {
	at     *namespace
	plugin string
}

func newRollouts(ctx context.Context, at *namespace) (deployer, error) {
	at.toolName = "Argo Rollouts, canary of 50 %"
	const module = "github.com/argoproj/argo-rollouts"
	plugin, err := at.buildTool(ctx, program{"rollouts", module, "cmd/kubectl-argo-rollouts"})
	if err != nil {
		return nil, err
	}
	program := program{"rollouts", module, "cmd/rollouts-controller"}
	controller, err := at.buildTool(ctx, program)
	if err != nil {
		return nil, err
	}
	source, err := at.moduleDir(ctx, program)
	if err != nil {
		return nil, err
	}
	crds, err := filepath.Glob(filepath.Join(source, "manifests", "crds", "*-crd.yaml"))
	if err == nil {
		err = at.installCRDs(ctx, crds...)
	}
	if err != nil {
		return nil, err
	}
	port := 20000 + rand.IntN(20000)
	return rolloutsDeployer{at, plugin}, at.startController(ctx, controller, "--namespaced", "--namespace", at.name, "--leader-elect=false",
		fmt.Sprintf("--healthzPort=%d", port), fmt.Sprintf("--metricsPort=%d", port+1))
}

func (k rolloutsDeployer) namespace() *namespace { return k.at }

func (k rolloutsDeployer) deploy(ctx context.Context, r release) (t deployResult, err error) {
	v := manifestValues(k.at.image.digest(), r)
	v["rollouts"], v["patience"] = "yes", fmt.Sprint(int(k.at.timeout.Seconds()))
	file, err := k.at.writeManifest(v)
	if err != nil {
		return t, err
	}
	t.started = time.Now()
	if _, err = k.at.exec(ctx, 0, "kubectl", "apply", "-f", file); err != nil {
		return t, err
	}
	most := k.at.timeout + 30*time.Second // it returns earlier, when the deadline has passed
	t.succeeded, err = runTool(k.at.command(ctx, k.plugin, "status", "tiny", "--timeout", most.String()))
	t.finished = time.Now()
	return t, err
}
