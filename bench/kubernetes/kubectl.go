package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// kubectlDeployer is `kubectl apply` of a digest and `kubectl rollout status`: the
// baseline that Slipway must not be slower than.
type kubectlDeployer struct {
	at    *namespace
	extra func(r release) string
}

func newKubectl(_ context.Context, at *namespace) (deployer, error) {
	at.toolName = "kubectl apply and rollout status"
	return kubectlDeployer{at: at}, nil
}

func (k kubectlDeployer) namespace() *namespace { return k.at }

func (k kubectlDeployer) deploy(ctx context.Context, r release) (t deployResult, err error) {
	file, err := k.at.writeManifest(manifestValues(k.at.image.digest(), r))
	if err != nil {
		return t, err
	}
	if k.extra != nil {
		if err := appendFile(file, k.extra(r)); err != nil {
			return t, err
		}
	}
	t.started = time.Now()
	if _, err = k.at.exec(ctx, 0, "kubectl", "apply", "-f", file); err != nil {
		return t, err
	}
	_, err = k.at.exec(ctx, 0, "kubectl", "rollout", "status", "deployment/tiny", "--timeout="+k.at.timeout.String())
	t.finished, t.succeeded = time.Now(), err == nil
	return t, ignoreExitCode(err)
}

func appendFile(path, text string) error {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("write the manifest: %w", err)
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}

// workshopScript is bench/kubernetes/workshop.sh.
type workshopScript struct {
	at  *namespace
	tag int
}

func newWorkshopScript(_ context.Context, at *namespace) (deployer, error) {
	at.toolName = "the workshop's script"
	return &workshopScript{at: at}, nil
}

func (k *workshopScript) namespace() *namespace { return k.at }

func (k *workshopScript) deploy(ctx context.Context, r release) (t deployResult, err error) {
	k.tag++
	file, err := k.at.writeManifest(manifestValues(k.at.image.tag("latest"), r))
	if err != nil {
		return t, err
	}
	commit := k.at.image.tag([]string{"a", "b"}[k.tag%2])
	script := filepath.Join(k.at.root, "bench", "kubernetes", "workshop.sh")
	t.started = time.Now()
	_, err = k.at.exec(ctx, 0, script, file, commit, k.at.timeout.String())
	t.finished, t.succeeded = time.Now(), err == nil
	return t, ignoreExitCode(err)
}

// ignoreExitCode drops the error of a command that exited with a nonzero code.
func ignoreExitCode(err error) error {
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() > 0 {
		return nil
	}
	return err
}
