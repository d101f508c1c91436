package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/slipway-cd/slipway/bench/measure"
)

// slipwayDeployer is one environment of the repository that Slipway delivers.
type slipwayDeployer struct {
	*testRepository
	ns             *namespace
	env            string
	strategy       string // deploy.strategy of its deliveries
	extraManifests func(r release) string
	output         string // of the last run
	runs           int
	peakKB         int // peak resident memory
}

func (s *slipwayDeployer) namespace() *namespace { return s.ns }

// newEnvironment adds an environment with a least-privilege service account; for
// server, see createServiceAccount.
func (r *testRepository) newEnvironment(ctx context.Context, name, env, strategy string, server *apiProxy) (*slipwayDeployer, error) {
	at, err := r.createNamespace(ctx, name)
	if err != nil {
		return nil, err
	}
	s := &slipwayDeployer{testRepository: r, ns: at, env: env, strategy: strategy}
	r.projects = append(r.projects, s)
	return s, at.createServiceAccount(ctx, server)
}

func (s *slipwayDeployer) deploy(ctx context.Context, r release) (t deployResult, err error) {
	text, err := renderTemplate(s.ns.template(), manifestValues("tiny", r))
	if err != nil {
		return t, err
	}
	if s.extraManifests != nil {
		text = append(text, s.extraManifests(r)...)
	}
	if err := s.commit(ctx, s, text, r.name); err != nil {
		return t, err
	}
	return s.run(ctx)
}

// run delivers what is committed.
func (s *slipwayDeployer) run(ctx context.Context) (t deployResult, err error) {
	cmd := s.ns.command(ctx, s.ns.slipway, "run", "--env", s.env, "--json")
	cmd.Dir = s.dir
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	t.started = time.Now()
	if err := cmd.Start(); err != nil {
		return t, fmt.Errorf("start slipway: %w", err)
	}
	ended := make(chan error, 1)
	go func() { err := cmd.Wait(); t.finished = time.Now(); ended <- err }()
	m := measure.WatchProcess(cmd.Process.Pid, ended)
	s.output, s.peakKB = stdout.String(), m.PeakKB
	if err := s.saveOutput(); err != nil {
		return t, err
	}
	run, err := measure.ParseRun(s.output)
	if err != nil || run.Outcome != "deployed" && run.Outcome != "rolled_back" {
		return t, fmt.Errorf("slipway run: %w: %s %w\n%s%s", m.Err, run.Outcome, err, s.output, stderr.String())
	}
	t.rolloutStarted, t.succeeded = run.DeployStarted, run.Outcome == "deployed"
	return t, nil
}

// saveOutput writes the run's output to the output folder, if any.
func (s *slipwayDeployer) saveOutput() error {
	if s.ns.outputDir == "" {
		return nil
	}
	s.runs++
	return os.WriteFile(filepath.Join(s.ns.outputDir, fmt.Sprintf("%s-%02d.json", s.ns.name, s.runs)), []byte(s.output), 0o644)
}

// deployedDigest returns the digest of the image that the last run delivered.
func (s *slipwayDeployer) deployedDigest(ctx context.Context) (string, error) {
	cmd := s.ns.command(ctx, s.ns.slipway, "status", "--env", s.env, "--json")
	cmd.Dir = s.dir
	out, err := measure.ExecCmd(cmd, 0)
	if err != nil {
		return "", err
	}
	var st struct{ Image struct{ Digest string } }
	if err := json.Unmarshal([]byte(out), &st); err != nil || st.Image.Digest == "" {
		return "", fmt.Errorf("no image in %s (%w)", out, err)
	}
	return st.Image.Digest, nil
}
