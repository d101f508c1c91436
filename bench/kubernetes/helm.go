package main

import (
	"context"
	"path/filepath"
	"time"
)

// helm is `helm upgrade` with its own way back.
type helm struct {
	at   *place
	path string
}

func newHelm(ctx context.Context, at *place) (contender, error) {
	at.name = "helm upgrade --rollback-on-failure"
	path, err := at.path(ctx, tool{"helm", "helm.sh/helm/v4", "cmd/helm"})
	return helm{at, path}, err
}

func (h helm) place() *place { return h.at }

func (h helm) deploy(ctx context.Context, r release) (t told, err error) {
	args := []string{"upgrade", "tiny", filepath.Join(h.at.root, "bench", "kubernetes", "chart"),
		"--install", "--rollback-on-failure", "--wait", "--timeout", h.at.patience.String()}
	for key, value := range values(h.at.image.digest(), r) {
		args = append(args, "--set-string", key+"="+value)
	}
	t.begun = time.Now()
	t.good, err = asked(h.at.command(ctx, h.path, args...))
	t.ended = time.Now()
	return t, err
}
