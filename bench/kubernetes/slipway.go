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
	strategy       string // what slipway.yaml says when it is delivered
	extraManifests func(r release) string
	output         string // by the last run
	runs           int
	peakKB         int // its highest resident memory, in kilobytes
}

func (s *slipwayDeployer) namespace() *namespace { return s.ns }

// newEnvironment adds an environment with an account of the least role. The strategy is
// that of slipway.yaml; for server see account.
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

// run is one delivery of what is committed.
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

// saveOutput writes what the run said into the folder for it, if there is one.
func (s *slipwayDeployer) saveOutput() error {
	if s.ns.outputDir == "" {
		return nil
	}
	s.runs++
	return os.WriteFile(filepath.Join(s.ns.outputDir, fmt.Sprintf("%s-%02d.json", s.ns.name, s.runs)), []byte(s.output), 0o644)
}

// deployedDigest is the digest of the image that the last run delivered.
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
