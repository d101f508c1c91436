package cli_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/objectfolder"
	"github.com/slipway-cd/slipway/internal/app"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/plan"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest/fake"
	"github.com/slipway-cd/slipway/internal/record"
	"github.com/slipway-cd/slipway/internal/record/shared"
	"github.com/slipway-cd/slipway/internal/record/sqlite"
	"github.com/slipway-cd/slipway/internal/record/statelog"
)

// openState opens the shared state: in memory if the program has one there.
func (p *program) openState(ctx context.Context, w app.Workspace) (*shared.State, error) {
	if p.objects != nil {
		return shared.Open(ctx, "memory", p.objects, w.ReadOnly, p.now())
	}
	dir := w.State
	if !filepath.IsAbs(dir) { // a bucket, or what stands for it
		dir = filepath.Join(p.dir+"-buckets", url.PathEscape(dir))
	}
	return shared.Open(ctx, w.State, objectfolder.Store{Dir: dir}, w.ReadOnly, p.now())
}

const maxViewAge = 20 * time.Millisecond

// openRecords opens the records of this machine, or those in the shared state.
func (p *program) openRecords(ctx context.Context, w app.Workspace) (*sqlite.Store, *shared.State, error) {
	if w.State == "" {
		store, err := sqlite.Open(ctx, filepath.Join(w.Home, "slipway.db"), w.Project, p.now)
		return store, nil, err
	}
	state, err := p.openState(ctx, w)
	if err != nil {
		return nil, nil, err
	}
	if state.Log == nil {
		store, err := sqlite.Open(ctx, filepath.Join(w.Home, "slipway.db"), w.Project, p.now)
		return store, state, err
	}
	store, err := sqlite.OpenView(ctx, w.Views(), w.Project, p.now, state.Log, maxViewAge)
	if err == nil {
		store, err = store.OnMachine(w.Machine.ID, w.MachineEnvironments)
	}
	return store, state, err
}

// newSharing returns a program whose state is shared, and the shared place.
func newSharing(t *testing.T) (*program, *fake.ObjectStore) {
	t.Helper()
	p := newProgram(t)
	p.objects = &fake.ObjectStore{}
	p.environ = append(p.environ, "SLIPWAY_STATE=/shared")
	return p, p.objects
}

// elsewhere moves the program to another machine: its state folder is a new one.
func (p *program) elsewhere() {
	p.t.Helper()
	p.environ = append(p.environ[:len(p.environ):len(p.environ)], "SLIPWAY_HOME="+p.t.TempDir())
}

// records opens the shared records, as another process does.
func (p *program) records() *sqlite.Store {
	p.t.Helper()
	state, err := p.openState(p.t.Context(), app.Workspace{})
	if err != nil {
		p.t.Fatal(err)
	}
	s, err := sqlite.OpenView(p.t.Context(), p.t.TempDir(), "api", p.now, state.Log, 0)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { s.Close() })
	return s
}

func (p *program) succeeds(args ...string) output {
	p.t.Helper()
	got := p.run(args...)
	if got.code != 0 {
		p.t.Fatalf("slipway %q: exit code %d\n%s%s", args, got.code, got.stdout, got.stderr)
	}
	return got
}

func (p *program) fails(code int, says string, args ...string) {
	p.t.Helper()
	if got := p.run(args...); got.code != code || !strings.Contains(got.stderr, says) {
		p.t.Errorf("slipway %q: exit code %d, want %d and %q\n%s%s", args, got.code, code, says, got.stdout, got.stderr)
	}
}

func TestState_Show(t *testing.T) {
	p, objects := newSharing(t)
	if got := p.succeeds("state", "show"); !strings.Contains(got.stdout, "none yet: the first run begins it") || !strings.Contains(got.stdout, "not shared   dev, prod") {
		t.Errorf("before the first run:\n%s", got.stdout)
	}
	if left, err := objects.List(t.Context(), "", "", 10); err != nil || len(left) > 0 {
		t.Errorf("show left %v (error = %v), want nothing", left, err)
	}
	p.succeeds("run", "--env", "dev", "--until", "build")
	now := time.Now()
	objects.Clock = func() time.Time { return now }
	owners := p.records().Owners()
	run := record.Run{RunSummary: record.RunSummary{ID: "20260101-000000-dead", Environment: "staging"}, Plan: plan.Plan{Version: plan.Version, Run: "20260101-000000-dead"}}
	_, err := p.records().Runs().Enqueue(t.Context(), run)
	if err == nil {
		_, err = owners.Claim(t.Context(), record.Ownership{Run: run.ID, Holder: "process 7 on ci-4", Machine: "X"})
	}
	if err == nil {
		err = owners.Beat(t.Context(), run.ID, 1)
	}
	if err != nil {
		t.Fatal(err)
	}
	now = now.Add(90 * time.Second)
	got := p.succeeds("state", "show").stdout
	for _, want := range []string{"state        memory", "entries      1 to ", "process 7 on ci-4", "1m ago: will be replaced", "run logs"} {
		if !strings.Contains(got, want) {
			t.Errorf("show lacks %q:\n%s", want, got)
		}
	}
	v := decode[app.StateView](t, p.succeeds("state", "show", "--json"))
	if !v.Shared || v.Log == nil || v.Log.Last < 3 || len(v.Runs) != 1 || v.Runs[0].Epoch != 1 || v.Runs[0].Here || v.Runs[0].Beat.D() != 90*time.Second || v.Unpushed {
		t.Errorf("view = %+v", v)
	}
	if got := p.succeeds("state", "unlock").stdout; !strings.Contains(got, "nothing is locked") || !strings.Contains(got, "20260101-000000-dead") {
		t.Errorf("unlock:\n%s", got)
	}
	if got := p.succeeds("state", "show", "--state", "none").stdout; !strings.Contains(got, ".slipway (of this machine alone)") {
		t.Errorf("without a shared state:\n%s", got)
	}
}

// What a machine has done alone is what another one sees after a push.
func TestState_PushPull(t *testing.T) {
	p, _ := newSharing(t)
	p.fails(2, "this machine has no records", "state", "push")
	p.succeeds("run", "--env", "dev", "--until", "build", "--state", "none")
	p.succeeds("releases", "quarantine", "--image", string(delivery.DigestOf([]byte("bad"))), "--why", "it leaks", "--state", "none")
	if got := p.succeeds("state", "show").stdout; !strings.Contains(got, "slipway state push") {
		t.Errorf("show names no push:\n%s", got)
	}
	p.log = fake.NewRecordLog("A") // empty
	p.fails(2, "the records of this machine are not in it", "run", "--env", "dev", "--until", "build")
	p.log = nil
	pushed := decode[app.PushResult](t, p.succeeds("state", "push", "--json"))
	if pushed.Runs != 1 || pushed.To != "memory" || !strings.HasSuffix(pushed.From, "slipway.db") {
		t.Errorf("pushed %+v, want 1 run to memory", pushed)
	}
	p.fails(2, "not empty", "state", "push")
	if got := p.succeeds("state", "show").stdout; strings.Contains(got, "slipway state push") {
		t.Errorf("show names a push after it:\n%s", got)
	}
	p.elsewhere()
	copied := filepath.Join(t.TempDir(), "copy")
	p.succeeds("state", "pull", copied)
	p.fails(2, "has records already", "state", "pull", copied)
	db, err := sqlite.Open(t.Context(), filepath.Join(copied, "slipway.db"), "api", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	held := delivery.Release{Image: delivery.Image{Digest: delivery.DigestOf([]byte("bad"))}}
	if q, err := db.Releases().FindQuarantine(t.Context(), held, delivery.Inputs{}); err != nil || q == nil || !strings.Contains(q.Reason, "it leaks") {
		t.Errorf("quarantine in the copy = %v (error = %v), want the image's", q, err)
	}
	if left, err := filepath.Glob(filepath.Join(copied, "pull-*")); err != nil || len(left) > 0 {
		t.Errorf("left = %v (error = %v), want nothing", left, err)
	}
}

func TestState_NotShared(t *testing.T) {
	p := newProgram(t)
	for _, args := range [][]string{{"push"}, {"pull", "copy"}, {"verify"}, {"prune"}} {
		p.fails(2, "on this machine alone", append([]string{"state"}, args...)...)
	}
	empty, objects := newSharing(t)
	for _, args := range [][]string{{"pull", "copy"}, {"verify"}} {
		empty.fails(2, "nothing was shared in memory yet", append([]string{"state"}, args...)...)
	}
	if left, err := objects.List(t.Context(), "", "", 10); err != nil || len(left) > 0 {
		t.Errorf("left = %v (error = %v), want nothing", left, err)
	}
}

// A damaged state can be verified by a machine that can't use it, and is not pruned.
func TestState_VerifyDamaged(t *testing.T) {
	p, objects := newSharing(t)
	p.succeeds("run", "--env", "dev", "--until", "build")
	if got := p.succeeds("state", "verify"); !strings.Contains(got.stdout, "all of it is as it was written") {
		t.Errorf("verify:\n%s", got.stdout)
	}
	blob := "blob/sha256/" + delivery.DigestOf([]byte("content")).Hex()
	if err := objects.Create(t.Context(), blob, []byte("other")); err != nil {
		t.Fatal(err)
	}
	objects.Change("log/000000000001.json", func(b []byte) []byte { return b[:len(b)-9] })
	p.elsewhere()
	got := p.run("state", "verify", "--json")
	v := decode[app.StateVerification](t, got)
	if got.code != 1 || len(v.Problems) != 2 || v.Last != 0 {
		t.Errorf("exit code %d, verification = %+v, want 1 and two problems", got.code, v)
	}
	if got := p.run("state", "verify"); got.code != 1 || strings.Count(got.stdout, "problem: ") != 2 || !strings.Contains(got.stdout, "entry 1") {
		t.Errorf("exit code %d:\n%s", got.code, got.stdout)
	}
}

func TestState_Prune(t *testing.T) {
	p, objects := newSharing(t)
	at := time.Now().Add(-100 * 24 * time.Hour)
	objects.Clock = func() time.Time { return at }
	p.clock = func() time.Time { return at }
	p.succeeds("run", "--env", "dev", "--until", "build")
	s := p.records()
	post := func(n int) {
		for i := range n {
			if err := s.Outbox().Post(t.Context(), "hook", port.Message{ID: fmt.Sprint(at, i), JSON: json.RawMessage("{}")}); err != nil {
				t.Fatal(err)
			}
		}
	}
	post(statelog.SnapshotInterval)
	at = time.Now()
	post(2 * statelog.SnapshotInterval)
	p.fails(2, "invalid value --older 719h0m0s", "state", "prune", "--older", "719h")
	would := decode[app.PruneStateResult](t, p.succeeds("state", "prune", "--dry-run", "--json"))
	if got := p.succeeds("state", "prune"); !strings.Contains(got.stdout, "removed 200 entries") || would.Entries.Objects != 200 || !would.DryRun {
		t.Errorf("dry run: %+v\n%s", would, got.stdout)
	}
	if got := p.succeeds("state", "show").stdout; !strings.Contains(got, "entries      201 to ") || !strings.Contains(got, "pruned       up to entry 200") {
		t.Errorf("show:\n%s", got)
	}
	p.succeeds("state", "verify")
	if got := p.succeeds("runs").stdout; !strings.Contains(got, "dev") {
		t.Errorf("the run is gone:\n%s", got)
	}
	p.elsewhere()
	p.succeeds("run", "--env", "dev", "--until", "build")
	objects.Change("snap/000000000400.zst", func(b []byte) []byte { return b[:len(b)/2] })
	p.fails(1, "nothing is removed", "state", "prune")
}
