package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"github.com/slipway-cd/slipway/bench/measure"
	"github.com/slipway-cd/slipway/internal/adapter/aws/objects"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/engine"
	"github.com/slipway-cd/slipway/internal/plan"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/record/runfiles"
	"github.com/slipway-cd/slipway/internal/record/sqlite"
	"github.com/slipway-cd/slipway/internal/record/statelog"
	"github.com/slipway-cd/slipway/internal/step"
)

// slowS3 is an S3 in this process whose responses take a while.
type slowS3 struct {
	latency atomic.Int64
	appends atomic.Int64
	url     string
}

func startS3() (s *slowS3, stop func(), err error) {
	backend := s3mem.New()
	if err := backend.CreateBucket("state"); err != nil {
		return nil, nil, err
	}
	s = &slowS3{}
	inner := gofakes3.New(backend).Server()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(time.Duration(s.latency.Load()))
		if r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/log/") {
			s.appends.Add(1)
		}
		inner.ServeHTTP(w, r)
	}))
	s.url = server.URL
	for name, value := range map[string]string{"AWS_ACCESS_KEY_ID": "bench", "AWS_SECRET_ACCESS_KEY": "bench"} {
		if err := os.Setenv(name, value); err != nil {
			return nil, nil, err
		}
	}
	return s, server.Close, nil
}

// open opens the state at a prefix.
func (s *slowS3) open(ctx context.Context, prefix string) (*objects.Store, error) {
	u, err := url.Parse("s3://state/" + prefix + "?region=us-east-1&use_path_style=true&endpoint=" + url.QueryEscape(s.url))
	if err != nil {
		return nil, err
	}
	return objects.Open(ctx, u)
}

// machine is a machine that shares its state.
type machine struct {
	store *sqlite.Store
	*engine.Engine
}

func (b *bench) newMachine(ctx context.Context, objects port.ObjectStore, name string) (*machine, error) {
	log, err := statelog.Open(ctx, objects, time.Now())
	if err != nil {
		return nil, err
	}
	home := filepath.Join(b.work, "state", name)
	store, err := sqlite.OpenView(ctx, filepath.Join(home, "state"), "bench", time.Now, log, 500*time.Millisecond)
	if err != nil {
		return nil, err
	}
	return &machine{store, &engine.Engine{
		Runs: store.Runs(), Cache: store.Cache(), Owners: store.Owners(), Files: runfiles.Store{Objects: objects, Project: "bench"}, Machine: name,
		Steps: map[step.Kind]step.Step{step.Test: outputStep{}}, Home: home, Repository: home, Parallel: 1,
	}}, nil
}

// outputStep does nothing, and leaves as much in the records as a usual step.
type outputStep struct{}

func (outputStep) Run(_ context.Context, r step.Request) (step.Result, error) {
	return step.Succeed("12 passed", map[string]string{"by": r.Spec.Name, "report": strings.Repeat("0123456789", 30)})
}

const chainLength = 12

// chain is a run of steps one after another.
func chain(n int) (plan.Plan, error) {
	p := plan.Plan{
		Version: plan.Version, Purpose: plan.Deliver, Run: delivery.RunID(fmt.Sprintf("20260101-%06d-aaaa", n)),
		Service: "bench", Environment: "bench", Trigger: plan.Trigger{By: "bench"},
	}
	params, err := json.Marshal(map[string]string{"command": strings.Repeat("pytest -q tests ", 20)})
	if err != nil {
		return p, err
	}
	for i := range chainLength {
		s := step.Spec{Name: fmt.Sprintf("test.%d", i), Kind: step.Test, Action: step.ActionRun, Params: params}
		if i > 0 {
			s.Needs = []string{fmt.Sprintf("test.%d", i-1)}
		}
		p.Steps = append(p.Steps, s)
	}
	return p, nil
}

// run runs a chain, and returns how long it took.
func (m *machine) run(ctx context.Context, n int) (time.Duration, error) {
	p, err := chain(n)
	if err != nil {
		return 0, err
	}
	start := time.Now()
	run, err := m.Run(ctx, p)
	if err == nil && run.Outcome != delivery.OutcomeSucceeded {
		err = fmt.Errorf("run of steps that do nothing: %s: %s", run.Outcome, run.Cause)
	}
	return time.Since(start), err
}

// measureState measures what sharing the state through a bucket costs, by the latency of
// its responses.
func (b *bench) measureState(ctx context.Context) error {
	s3, stop, err := startS3()
	if err != nil {
		return err
	}
	defer stop()
	for _, latency := range []time.Duration{0, 30 * time.Millisecond, 80 * time.Millisecond} {
		if err := b.measureChain(ctx, s3, latency); err != nil {
			return err
		}
	}
	return b.measureColdStart(ctx, s3)
}

func (b *bench) measureChain(ctx context.Context, s3 *slowS3, latency time.Duration) error {
	s3.latency.Store(0)
	objects, err := s3.open(ctx, latency.String())
	if err != nil {
		return err
	}
	defer objects.Close()
	m, err := b.newMachine(ctx, objects, latency.String())
	if err != nil {
		return err
	}
	defer m.store.Close()
	if _, err := m.run(ctx, 0); err != nil { // connections
		return err
	}
	s3.latency.Store(int64(latency))
	s3.appends.Store(0)
	const times = 5
	var took []time.Duration
	for n := range times {
		t, err := m.run(ctx, n+1)
		if err != nil {
			return err
		}
		took = append(took, t)
	}
	median := measure.Median(took)
	what := fmt.Sprintf("%d steps one after another, state in S3 at %d ms (median of %d)", chainLength, latency.Milliseconds(), times)
	measured := fmt.Sprintf("%.2f s, %.0f ms a step, %d appends", median.Seconds(), measure.Milliseconds(median)/chainLength, s3.appends.Load()/times)
	if latency == 30*time.Millisecond {
		b.Add(what, "<= 0.6 s", measured, median <= 600*time.Millisecond)
	} else {
		b.Note(what, measured)
	}
	return nil
}

// historyLength is how many runs a machine finds that starts with an empty disk.
const historyLength = 10_000

func (b *bench) measureColdStart(ctx context.Context, s3 *slowS3) error {
	s3.latency.Store(0)
	objects, err := s3.open(ctx, "history")
	if err != nil {
		return err
	}
	defer objects.Close()
	size, err := b.makeHistory(ctx, objects)
	if err != nil {
		return err
	}
	s3.latency.Store(int64(30 * time.Millisecond))
	const times = 5
	var took []time.Duration
	for n := range times {
		start := time.Now()
		m, err := b.newMachine(ctx, objects, fmt.Sprintf("cold%d", n))
		if err != nil {
			return err
		}
		found, _, err := m.store.Runs().List(ctx, "bench", port.Page{})
		took = append(took, time.Since(start))
		if err == nil && len(found) == 0 {
			err = fmt.Errorf("the machine sees no runs")
		}
		if err != nil {
			return err
		}
		if err := m.store.Close(); err != nil {
			return err
		}
	}
	median := measure.Median(took)
	b.Add(fmt.Sprintf("empty machine, S3 at 30 ms, %d runs (%d MB) (median of %d)", historyLength, size>>20, times),
		"<= 2 s", fmt.Sprintf("%.2f s", median.Seconds()), median <= 2*time.Second)
	return nil
}

// makeHistory leaves a log with many runs, and almost as many entries after the newest
// snapshot as there can be. It returns the size of the view.
func (b *bench) makeHistory(ctx context.Context, objects port.ObjectStore) (int64, error) {
	m, err := b.newMachine(ctx, objects, "history")
	if err != nil {
		return 0, err
	}
	defer m.store.Close()
	if _, err := m.run(ctx, 0); err != nil {
		return 0, err
	}
	views, err := filepath.Glob(filepath.Join(m.Home, "state", "*.db"))
	if err != nil || len(views) != 1 {
		return 0, fmt.Errorf("the machine has %d views: %w", len(views), err)
	}
	// The runs are copied in the view alone: to deliver all of them takes an hour. What a
	// machine starts with, the snapshot, is a copy of a view.
	if err := multiply(ctx, views[0]); err != nil {
		return 0, err
	}
	info, err := os.Stat(views[0])
	if err != nil {
		return 0, err
	}
	for n := 0; ; n++ {
		message := port.Message{ID: fmt.Sprint(n), JSON: []byte("{}"), Text: "message"}
		if err := m.store.Outbox().Post(ctx, "bench", message); err != nil {
			return 0, err
		}
		snapshots, err := objects.List(ctx, "snap/", "", 10)
		if err != nil {
			return 0, err
		}
		entries, err := objects.List(ctx, "log/", "", 10_000)
		if err != nil {
			return 0, err
		}
		if len(snapshots) > 0 && (len(entries)+1)%statelog.SnapshotInterval == 0 {
			return info.Size(), nil
		}
	}
}

// multiply copies the run in a view, with its steps. No two copies have the same report.
func multiply(ctx context.Context, path string) error {
	db, err := sql.Open("sqlite", path)
	if err != nil {
		return err
	}
	defer db.Close()
	const copies = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) INSERT INTO "
	const id = "printf('20260102-%06d-aaaa', i)"
	for _, statement := range []string{
		`runs SELECT project, ` + id + `, environment, seq + i, turn, state, outcome, cause, hint, hex(randomblob(32)), started_by, pid, host, cancel,
			replace(plan, 'pytest', substr(hex(randomblob(16)), 1, 6)), hex(randomblob(32)), hex(randomblob(20)), created_at + i, started_at + i, ended_at + i, extra FROM runs, n`,
		`steps SELECT project, ` + id + `, name, idx, kind, attempt, begun, replace(result, '0123456789012345678901234567890123456789', hex(randomblob(20))), extra FROM steps, n`,
	} {
		if _, err := db.ExecContext(ctx, copies+statement, historyLength-1); err != nil {
			return err
		}
	}
	return nil
}
