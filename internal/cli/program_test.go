package cli_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/app"
	"github.com/slipway-cd/slipway/internal/catalog"
	"github.com/slipway-cd/slipway/internal/cli"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest/fake"
	"github.com/slipway-cd/slipway/internal/record"
	"github.com/slipway-cd/slipway/internal/record/sqlite"
	"github.com/slipway-cd/slipway/internal/step"
)

const projectFile = `version: 1
service: api
image: {build: {go: .}, repository: api}
environments:
  dev: {on: {push: develop}, target: {local: {}}}
  prod: {on: {push: main}, target: {local: {}}, approvals: 1}
`

// program is the command line with fake steps that return the given results, in a
// temporary folder.
type program struct {
	t           *testing.T
	dir         string
	environ     []string
	objects     *fake.ObjectStore         // of the shared state
	results     map[step.Kind]step.Result // default: succeeded
	target      *fake.Target
	anchored    *fake.AnchoredTarget                                 // instead of target
	log         port.RecordLog                                       // that the records are in
	branches    map[string]string                                    // slipway.yaml of branches of origin; "": the default branch, which is main
	observe     func(delivery.Environment) (port.Observation, error) // instead of the target's observation
	clock       func() time.Time                                     // default: time.Now
	zone        *time.Location
	files       []string         // of the commit; default: main.go
	dirty       bool             // with uncommitted changes
	buildkit    error            // why there is none
	supervisors port.Supervisors // of this machine
	monitors    step.Monitors
	width       int                                                                            // of the terminal; 0: none
	does        map[step.Kind]func(r step.Request, records *sqlite.Store) (step.Result, error) // instead of results

	mu  sync.Mutex
	ran []string // names of steps, in order of start
}

// newProgram returns one in a repository with projectFile.
func newProgram(t *testing.T) *program {
	t.Helper()
	p := &program{
		t: t, dir: t.TempDir(), environ: []string{"SLIPWAY_ACTOR=ann"}, results: map[step.Kind]step.Result{}, target: &fake.Target{},
	}
	p.useFile(projectFile)
	return p
}

// useFile replaces slipway.yaml.
func (p *program) useFile(text string) {
	p.t.Helper()
	if err := os.WriteFile(filepath.Join(p.dir, "slipway.yaml"), []byte(text), 0o600); err != nil {
		p.t.Fatal(err)
	}
}

// write writes a file of the repository.
func (p *program) write(name, text string) {
	p.t.Helper()
	path := filepath.Join(p.dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		p.t.Fatal(err)
	}
}

// output is the output of a finished command.
type output struct {
	code           int
	stdout, stderr string
}

func (p *program) run(args ...string) output {
	p.t.Helper()
	return p.runIn(p.t.Context(), args...)
}

func (p *program) runIn(ctx context.Context, args ...string) output {
	p.t.Helper()
	var stdout, stderr bytes.Buffer
	cmd := cli.Command{
		App: &app.App{
			Dir: p.dir, Environ: append([]string{"SLIPWAY_CACHE_DIR=" + p.dir + "-cache"}, p.environ...), Factory: p.dependencies, Clock: p.now,
			Kinds: catalog.Default(), ScanDatabase: func() port.ScanDatabase { return scanDatabase{} }, Supervisors: func() port.Supervisors { return p.supervisors },
			OpenState: p.openState, VerifyLog: catalog.VerifyLog,
		},
		Args: args, Stdout: &stdout, Stderr: &stderr, Version: "1.2.3", Zone: p.zone, TerminalWidth: func() int { return p.width },
	}
	code := cmd.Main(ctx)
	return output{code, stdout.String(), stderr.String()}
}

func (p *program) now() time.Time {
	if p.clock == nil {
		return time.Now()
	}
	return p.clock()
}

// observedTarget is a target with a given state.
type observedTarget struct {
	*fake.Target
	observe func(delivery.Environment) (port.Observation, error)
}

func (t observedTarget) Observe(_ context.Context, _ string, env delivery.Environment) (port.Observation, error) {
	return t.observe(env)
}

func (p *program) dependencies(ctx context.Context, w app.Workspace) (app.Dependencies, error) {
	store, state, err := p.openRecords(ctx, w)
	if err != nil {
		return app.Dependencies{}, err
	}
	steps := map[step.Kind]step.Step{}
	for _, kind := range []step.Kind{
		step.Test, step.Build, step.Push, step.Train, step.Evaluate, step.Register, step.Approve, step.Deploy, step.Verify, step.Watch, step.Rollback,
	} {
		steps[kind] = stepFunc(p.step)
		if p.buildkit != nil && kind == step.Build {
			steps[kind] = fingerprinted{stepFunc(p.step), p.buildkit}
		}
		if do := p.does[kind]; do != nil {
			steps[kind] = stepFunc(func(_ context.Context, r step.Request) (step.Result, error) { return do(r, store) })
		}
	}
	var target port.Target = p.target
	if p.observe != nil {
		target = observedTarget{p.target, p.observe}
	}
	if p.anchored != nil {
		target = p.anchored
	}
	return app.Dependencies{
		Log: p.log, Runs: store.Runs(), Owners: store.Owners(), Shared: state, Maintenance: store.Maintenance(),
		Cache: store.Cache(), Outbox: store.Outbox(), Models: store.Models(), Artifacts: &fake.ArtifactStore{},
		Releases: store.Releases(), Deployments: store.Deployments(), Approvals: store.Approvals(), Costs: record.Costs{Runs: store.Runs()},
		Source: source{p}, Steps: steps, Targets: map[string]port.Target{"local": target, "kubernetes": target},
		Reference:   func(img delivery.Image) string { return img.String() },
		GenerateKey: func([]byte) (private, public []byte, err error) { return []byte("private"), []byte("public"), nil },
		ServeRegistry: func(_ context.Context, o app.RegistryOptions, ready func(string)) error {
			ready(o.Address)
			return nil
		},
		Monitors: p.monitors, Close: store.Close,
	}, nil
}

func (p *program) step(_ context.Context, r step.Request) (step.Result, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ran = append(p.ran, r.Spec.Name)
	result, ok := p.results[r.Spec.Kind]
	if !ok {
		result.Outcome = delivery.OutcomeSucceeded
	}
	if r.Spec.Kind == step.Deploy || r.Spec.Kind == step.Rollback {
		result.Output = []byte(`{"release":"r-0123456789ab","url":"http://api.local"}`)
	}
	return result, nil
}

// fingerprinted is a step whose tool is missing.
type fingerprinted struct {
	stepFunc
	err error
}

func (f fingerprinted) Fingerprint(context.Context, step.Spec) (string, error) { return "", f.err }

type stepFunc func(context.Context, step.Request) (step.Result, error)

func (f stepFunc) Run(ctx context.Context, r step.Request) (step.Result, error) { return f(ctx, r) }

// source is a repository with one commit on main.
type source struct{ p *program }

func (s source) Head(_ context.Context, allowDirty bool) (delivery.Commit, error) {
	if s.p.dirty && !allowDirty {
		return delivery.Commit{}, fault.New(fault.Conflict, "the working tree differs from the commit: main.go").Hint("commit the changes, or deploy them uncommitted with --allow-dirty")
	}
	return delivery.Commit{SHA: strings.Repeat("c", 40), Tree: strings.Repeat("d", 40), Branch: "main", Dirty: s.p.dirty}, nil
}

func (s source) Files(context.Context, string) (out []port.File, _ error) {
	for _, name := range append([]string{"main.go"}, s.p.files...) {
		out = append(out, port.File{Path: name, Mode: "100644", Blob: strings.Repeat("e", 40)})
	}
	return out, nil
}

// ReadBranch implements port.BranchReader.
func (s source) ReadBranch(_ context.Context, branch, _ string) ([]byte, string, bool, error) {
	content, ok := s.p.branches[branch]
	if !ok {
		return nil, "", false, nil
	}
	return []byte(content), "origin/" + cmp.Or(branch, "main"), content != "", nil
}

func (source) Changed(context.Context, string, string) ([]string, error) { return nil, nil }
func (source) Checkout(_ context.Context, _, dir string) error           { return os.MkdirAll(dir, 0o755) }

// scanDatabase is a machine without a vulnerability database.
type scanDatabase struct{}

func (scanDatabase) Status(context.Context) (port.ScanDatabaseInfo, error) {
	return port.ScanDatabaseInfo{Scanner: "grype", Path: "/nowhere"}, nil
}

func (scanDatabase) Update(context.Context, port.Progress) (port.ScanDatabaseInfo, bool, error) {
	return port.ScanDatabaseInfo{}, false, fault.New(fault.Unavailable, "download the database: no route to host")
}

func (scanDatabase) Import(_ context.Context, file string) (port.ScanDatabaseInfo, error) {
	return port.ScanDatabaseInfo{Scanner: "grype", Path: file, Schema: "v6", BuiltAt: time.Now(), Bytes: 1e6}, nil
}

// decode reads the JSON document that a command printed.
func decode[T any](t *testing.T, o output) T {
	t.Helper()
	var doc T
	if err := json.Unmarshal([]byte(o.stdout), &doc); err != nil {
		t.Fatalf("stdout is not a JSON document: %v\n%s", err, o.stdout)
	}
	return doc
}

// last reads the last line of JSON lines.
func last[T any](t *testing.T, o output) T {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(o.stdout), "\n")
	return decode[T](t, output{stdout: lines[len(lines)-1]})
}
