package main

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// flaggerDeployer is Flagger: it keeps the serving release in a separate Deployment,
// and copies a new release to it once that is ready.
type flaggerDeployer struct{ at *namespace }

func newFlagger(ctx context.Context, at *namespace) (deployer, error) {
	at.toolName = "Flagger, blue/green"
	program := program{"flagger", "github.com/fluxcd/flagger", "cmd/flagger"}
	path, err := at.buildTool(ctx, program)
	if err != nil {
		return nil, err
	}
	source, err := at.moduleDir(ctx, program)
	if err != nil {
		return nil, err
	}
	if err := at.installCRDs(ctx, filepath.Join(source, "artifacts", "flagger", "crd.yaml")); err != nil {
		return nil, err
	}
	return flaggerDeployer{at}, at.startController(ctx, path, "-kubeconfig", at.kubeconfig, "-namespace", at.name, "-mesh-provider", "kubernetes",
		"-metrics-server", "http://127.0.0.1:1", "-log-level", "info", "-port", fmt.Sprint(20000+rand.IntN(20000)))
}

func (k flaggerDeployer) namespace() *namespace { return k.at }

func (k flaggerDeployer) deploy(ctx context.Context, r release) (t deployResult, err error) {
	v := manifestValues(k.at.image.digest(), r)
	v["flagger"], v["patience"] = "yes", fmt.Sprint(int(k.at.timeout.Seconds()))
	file, err := k.at.writeManifest(v)
	if err != nil {
		return t, err
	}
	text, err := renderTemplate(filepath.Join(k.at.root, "bench", "kubernetes", "flagger.yaml"), v)
	if err != nil {
		return t, err
	}
	canary := filepath.Join(k.at.dir, "canary.yaml")
	if err := os.WriteFile(canary, text, 0o644); err != nil {
		return t, fmt.Errorf("write the canary: %w", err)
	}
	if _, err := k.at.exec(ctx, 0, "kubectl", "apply", "-f", canary); err != nil { // creates it the first time
		return t, err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	verdict, err := k.verdict(ctx)
	if err != nil {
		return t, err
	}
	t.started = time.Now()
	if _, err = k.at.exec(ctx, 0, "kubectl", "apply", "-f", file); err != nil {
		return t, err
	}
	phase := <-verdict
	t.finished, t.succeeded = time.Now(), phase == "Succeeded" || phase == "Initialized"
	return t, ctx.Err()
}

// verdict returns the final phase of the next release. The first phase that kubectl
// prints is the final one of the previous release, or an initial one.
func (k flaggerDeployer) verdict(ctx context.Context) (<-chan string, error) {
	ends := []string{"Initialized", "Succeeded", "Failed"}
	cmd := k.at.command(ctx, "kubectl", "get", "canary", "tiny", "--watch", "-o", `jsonpath={.status.phase}{"\n"}`)
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return nil, fmt.Errorf("watch the canary: %w", err)
	}
	lines := bufio.NewScanner(out)
	lines.Scan()
	under := !slices.Contains(ends, lines.Text())
	verdict := make(chan string, 1)
	go func() {
		defer close(verdict)
		defer func() { _ = cmd.Wait() }()
		for lines.Scan() {
			switch ended := slices.Contains(ends, lines.Text()); {
			case !ended:
				under = true
			case under:
				verdict <- lines.Text()
				return
			}
		}
	}()
	return verdict, nil
}
