package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"text/template"
	"time"
)

// release is one version of the tiny service.
type release struct{ name, behaviour string }

// Behaviours of the tiny service.
const (
	good       = "good"
	crashes    = "crashes"
	neverReady = "never ready"
)

// deployer is a way to deliver, with a separate namespace.
type deployer interface {
	namespace() *namespace
	// deploy runs the command that deploys the release, until it exits. A rejected
	// bad release is not an error.
	deploy(ctx context.Context, r release) (deployResult, error)
}

// deployResult is when a command started and finished, and what it reported.
type deployResult struct {
	started, finished time.Time
	rolloutStarted    time.Time // zero, or when it started to change the cluster
	succeeded         bool      // it reported the release as deployed
}

// manifestValues returns the template values of the service's manifest.
func manifestValues(image string, r release) map[string]string {
	return map[string]string{"image": image, "release": r.name, "behaviour": r.behaviour}
}

// writeManifest renders the service's manifest with these values, and returns its
// path.
func (p *namespace) writeManifest(values map[string]string) (string, error) {
	text, err := renderTemplate(p.template(), values)
	if err != nil {
		return "", err
	}
	path := filepath.Join(p.dir, "tiny.yaml")
	if err := os.WriteFile(path, text, 0o644); err != nil {
		return "", fmt.Errorf("write the manifest: %w", err)
	}
	return path, nil
}

func renderTemplate(path string, values map[string]string) ([]byte, error) {
	t, err := template.ParseFiles(path)
	if err != nil {
		return nil, fmt.Errorf("read the manifest: %w", err)
	}
	var out bytes.Buffer
	if err := t.Execute(&out, map[string]any{"Values": values}); err != nil {
		return nil, fmt.Errorf("fill in the manifest: %w", err)
	}
	return out.Bytes(), nil
}

// template returns the path of the service's manifest, a chart's template.
func (b *bench) template() string {
	return filepath.Join(b.root, "bench", "kubernetes", "chart", "templates", "tiny.yaml")
}
