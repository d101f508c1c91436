package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"time"
)

// rollouts is Argo Rollouts: its controller goes back by itself when the progress
// deadline, which is the bench's patience, has passed.
type rollouts struct {
	at     *place
	plugin string
}

func newRollouts(ctx context.Context, at *place) (contender, error) {
	at.name = "Argo Rollouts, canary of 50 %"
	const module = "github.com/argoproj/argo-rollouts"
	plugin, err := at.path(ctx, tool{"rollouts", module, "cmd/kubectl-argo-rollouts"})
	if err != nil {
		return nil, err
	}
	program := tool{"rollouts", module, "cmd/rollouts-controller"}
	controller, err := at.path(ctx, program)
	if err != nil {
		return nil, err
	}
	source, err := at.source(ctx, program)
	if err != nil {
		return nil, err
	}
	crds, err := filepath.Glob(filepath.Join(source, "manifests", "crds", "*-crd.yaml"))
	if err == nil {
		err = at.crds(ctx, crds...)
	}
	if err != nil {
		return nil, err
	}
	port := 20000 + rand.IntN(20000)
	return rollouts{at, plugin}, at.controller(ctx, controller, "--namespaced", "--namespace", at.ns, "--leader-elect=false",
		fmt.Sprintf("--healthzPort=%d", port), fmt.Sprintf("--metricsPort=%d", port+1))
}

func (k rollouts) place() *place { return k.at }

func (k rollouts) deploy(ctx context.Context, r release) (t told, err error) {
	v := values(k.at.image.digest(), r)
	v["rollouts"], v["patience"] = "yes", fmt.Sprint(int(k.at.patience.Seconds()))
	file, err := k.at.manifest(v)
	if err != nil {
		return t, err
	}
	t.begun = time.Now()
	if _, err = k.at.do(ctx, 0, "kubectl", "apply", "-f", file); err != nil {
		return t, err
	}
	most := k.at.patience + 30*time.Second // it answers earlier, when the deadline has passed
	t.good, err = asked(k.at.command(ctx, k.plugin, "status", "tiny", "--timeout", most.String()))
	t.ended = time.Now()
	return t, err
}
