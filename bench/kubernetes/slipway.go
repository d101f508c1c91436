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

// project is one environment of the repository that Slipway delivers.
type project struct {
	*repository
	at       *place
	env      string
	strategy string // what slipway.yaml says when it is delivered
	extra    func(r release) string
	said     string // by the last run
	runs     int
	peak     int // its highest resident memory, in kilobytes
}

func (s *project) place() *place { return s.at }

// project adds an environment with an account of the least role. The strategy is
// that of slipway.yaml; for server see account.
func (r *repository) project(ctx context.Context, name, env, strategy string, server *server) (*project, error) {
	at, err := r.place(ctx, name)
	if err != nil {
		return nil, err
	}
	s := &project{repository: r, at: at, env: env, strategy: strategy}
	r.projects = append(r.projects, s)
	return s, at.account(ctx, server)
}

func (s *project) deploy(ctx context.Context, r release) (t told, err error) {
	text, err := rendered(s.at.template(), values("tiny", r))
	if err != nil {
		return t, err
	}
	if s.extra != nil {
		text = append(text, s.extra(r)...)
	}
	if err := s.commit(ctx, s, text, r.name); err != nil {
		return t, err
	}
	return s.run(ctx)
}

// run is one delivery of what is committed.
func (s *project) run(ctx context.Context) (t told, err error) {
	cmd := s.at.command(ctx, s.at.slipway, "run", "--env", s.env, "--json")
	cmd.Dir = s.dir
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	t.begun = time.Now()
	if err := cmd.Start(); err != nil {
		return t, fmt.Errorf("start slipway: %w", err)
	}
	ended := make(chan error, 1)
	go func() { err := cmd.Wait(); t.ended = time.Now(); ended <- err }()
	m := measure.WatchProcess(cmd.Process.Pid, ended)
	s.said, s.peak = stdout.String(), m.PeakKB
	if err := s.keep(); err != nil {
		return t, err
	}
	run, err := measure.ParseRun(s.said)
	if err != nil || run.Outcome != "deployed" && run.Outcome != "rolled_back" {
		return t, fmt.Errorf("slipway run: %w: %s %w\n%s%s", m.Err, run.Outcome, err, s.said, stderr.String())
	}
	t.entered, t.good = run.DeployStarted, run.Outcome == "deployed"
	return t, nil
}

// keep writes what the run said into the folder for it, if there is one.
func (s *project) keep() error {
	if s.at.keep == "" {
		return nil
	}
	s.runs++
	return os.WriteFile(filepath.Join(s.at.keep, fmt.Sprintf("%s-%02d.json", s.at.ns, s.runs)), []byte(s.said), 0o644)
}

// built is the digest of the image that the last run delivered.
func (s *project) built(ctx context.Context) (string, error) {
	cmd := s.at.command(ctx, s.at.slipway, "status", "--env", s.env, "--json")
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
