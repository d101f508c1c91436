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

// plain is `kubectl apply` of a digest and `kubectl rollout status`: what Slipway
// may not be slower than.
type plain struct {
	at    *place
	extra func(r release) string
}

func newPlain(_ context.Context, at *place) (contender, error) {
	at.name = "kubectl apply and rollout status"
	return plain{at: at}, nil
}

func (k plain) place() *place { return k.at }

func (k plain) deploy(ctx context.Context, r release) (t told, err error) {
	file, err := k.at.manifest(values(k.at.image.digest(), r))
	if err != nil {
		return t, err
	}
	if k.extra != nil {
		if err := appendTo(file, k.extra(r)); err != nil {
			return t, err
		}
	}
	t.begun = time.Now()
	if _, err = k.at.do(ctx, 0, "kubectl", "apply", "-f", file); err != nil {
		return t, err
	}
	_, err = k.at.do(ctx, 0, "kubectl", "rollout", "status", "deployment/tiny", "--timeout="+k.at.patience.String())
	t.ended, t.good = time.Now(), err == nil
	return t, refused(err)
}

func appendTo(path, text string) error {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("write the manifest: %w", err)
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}

// workshop is bench/kubernetes/workshop.sh.
type workshop struct {
	at  *place
	tag int
}

func newWorkshop(_ context.Context, at *place) (contender, error) {
	at.name = "the workshop's script"
	return &workshop{at: at}, nil
}

func (k *workshop) place() *place { return k.at }

func (k *workshop) deploy(ctx context.Context, r release) (t told, err error) {
	k.tag++
	file, err := k.at.manifest(values(k.at.image.tag("latest"), r))
	if err != nil {
		return t, err
	}
	commit := k.at.image.tag([]string{"a", "b"}[k.tag%2])
	script := filepath.Join(k.at.root, "bench", "kubernetes", "workshop.sh")
	t.begun = time.Now()
	_, err = k.at.do(ctx, 0, script, file, commit, k.at.patience.String())
	t.ended, t.good = time.Now(), err == nil
	return t, refused(err)
}

// refused takes a command's own no for an answer.
func refused(err error) error {
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() > 0 {
		return nil
	}
	return err
}
