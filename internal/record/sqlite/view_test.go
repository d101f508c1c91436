package sqlite_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/plan"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest"
	"github.com/slipway-cd/slipway/internal/port/porttest/fake"
	"github.com/slipway-cd/slipway/internal/record"
	"github.com/slipway-cd/slipway/internal/record/sqlite"
	"github.com/slipway-cd/slipway/internal/record/statelog"
	"github.com/slipway-cd/slipway/internal/record/storetest"
)

// openMachine opens the records in the log as a machine with an empty disk does.
func openMachine(t *testing.T, objects port.ObjectStore) *sqlite.Store {
	t.Helper()
	return openView(t, t.TempDir(), objects, "retail", 0)
}

func openView(t *testing.T, dir string, objects port.ObjectStore, project delivery.Project, maxAge time.Duration) *sqlite.Store {
	t.Helper()
	log, err := statelog.Open(t.Context(), objects, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	s, err := sqlite.OpenView(t.Context(), dir, project, time.Now, log, maxAge)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// perTest returns a function that gives each test one object store.
func perTest() func(t *testing.T) *fake.ObjectStore {
	var mu sync.Mutex
	all := map[string]*fake.ObjectStore{}
	return func(t *testing.T) *fake.ObjectStore {
		mu.Lock()
		defer mu.Unlock()
		if all[t.Name()] == nil {
			all[t.Name()] = &fake.ObjectStore{}
		}
		return all[t.Name()]
	}
}

// TestView: every handle of the suites is a machine of its own with an empty disk.
func TestView(t *testing.T) {
	objects := perTest()
	storetest.TestStore(t, func(t *testing.T) record.Store { return openMachine(t, objects(t)) })
	t.Run("projects", func(t *testing.T) {
		storetest.TestProjects(t, func(t *testing.T) func(delivery.Project) record.Store {
			s := &fake.ObjectStore{}
			return func(p delivery.Project) record.Store { return openView(t, t.TempDir(), s, p, 0) }
		})
	})
	t.Run("models", func(t *testing.T) {
		porttest.TestModels(t, freshMachines((*sqlite.Store).Models))
		porttest.TestModelImporter(t, freshMachines((*sqlite.Store).Models))
	})
	t.Run("releases", func(t *testing.T) { porttest.TestReleases(t, freshMachines((*sqlite.Store).Releases)) })
	t.Run("deployments", func(t *testing.T) { porttest.TestDeployments(t, freshMachines((*sqlite.Store).Deployments)) })
	t.Run("approvals", func(t *testing.T) { porttest.TestApprovals(t, freshMachines((*sqlite.Store).Approvals)) })
}

// freshMachines is freshStore, with a machine of its own for every handle.
func freshMachines[S any](of func(*sqlite.Store) S) func(t *testing.T) func() S {
	return func(t *testing.T) func() S {
		objects := &fake.ObjectStore{}
		return func() S { return of(openMachine(t, objects)) }
	}
}

// newRun is a run that has not been queued.
func newRun(n int) record.Run {
	id := delivery.RunID(fmt.Sprintf("20261124-101502-%04d", n))
	return record.Run{RunSummary: record.RunSummary{ID: id, Environment: "prod"}, Plan: plan.Plan{Version: plan.Version, Run: id}}
}

// TestView_Machines: machines that start, change and vanish at once, over a store that
// loses answers, agree afterwards, and nothing is lost that one of them was told.
func TestView_Machines(t *testing.T) {
	for seed := range uint64(3) {
		var mu sync.Mutex
		random := rand.New(rand.NewPCG(seed, 1))
		var lost atomic.Int64
		objects := &fake.ObjectStore{}
		open := func() *sqlite.Store { return openMachine(t, objects) }
		open()
		unreliable := func(method, _ string) error {
			mu.Lock()
			defer mu.Unlock()
			if method == "Create" && random.IntN(5) == 0 {
				lost.Add(1)
				return fault.New(fault.Unavailable, "the answer is lost")
			}
			return nil
		}
		objects.Before, objects.After = unreliable, unreliable
		var group sync.WaitGroup
		told := sync.Map{}
		for machine := range 4 {
			group.Go(func() {
				for life := range 2 {
					s := open()
					for i := range 4 {
						r, err := s.Runs().Enqueue(t.Context(), newRun(machine*100+life*10+i))
						if err != nil {
							t.Errorf("seed %d: %v", seed, err)
							continue
						}
						told.Store(r.ID, r.Seq)
					}
				}
			})
		}
		group.Wait()
		objects.Before, objects.After = nil, nil
		var views [][]record.RunSummary
		for range 2 {
			runs, err := port.Collect(record.AllRuns(t.Context(), open().Runs(), ""))
			if err != nil {
				t.Fatal(err)
			}
			views = append(views, runs)
		}
		if diff := cmp.Diff(views[0], views[1]); diff != "" || len(views[0]) != 32 {
			t.Errorf("seed %d: %d runs, want 32 and two equal views:\n%s", seed, len(views[0]), diff)
		}
		places := map[int64]bool{}
		for _, r := range views[0] {
			if seq, ok := told.Load(r.ID); !ok || seq != r.Seq || places[r.Seq] {
				t.Errorf("seed %d: run %s is at %d, want %v, and alone there", seed, r.ID, r.Seq, seq)
			}
			places[r.Seq] = true
		}
		if lost.Load() == 0 {
			t.Errorf("seed %d: no answer was lost", seed)
		}
	}
}

// TestView_Snapshot: a machine that starts late reads a snapshot and what came after.
func TestView_Snapshot(t *testing.T) {
	objects := &fake.ObjectStore{}
	s := openMachine(t, objects)
	const n = statelog.SnapshotInterval + 10
	for i := range n {
		if err := s.Outbox().Post(t.Context(), "hook", port.Message{ID: fmt.Sprint(i), JSON: []byte("{\x00}"), Text: "a\x00b"}); err != nil {
			t.Fatal(err)
		}
	}
	var reads atomic.Int64
	objects.Before = func(method, _ string) error { reads.Add(1); return nil }
	late := openMachine(t, objects)
	if got := reads.Load(); got > 60 {
		t.Errorf("%d requests to read %d entries, want at most 60 with a snapshot", got, n)
	}
	want, err := s.Outbox().Due(t.Context(), time.Now(), 0)
	if err != nil {
		t.Fatal(err)
	}
	got, err := late.Outbox().Due(t.Context(), time.Now(), 0)
	if diff := cmp.Diff(want, got); err != nil || diff != "" || len(got) != n {
		t.Errorf("%d messages, want %d (error = %v):\n%s", len(got), n, err, diff)
	}
	if err := late.Outbox().Post(t.Context(), "hook", port.Message{ID: "late"}); err != nil {
		t.Fatal(err)
	}
	if due, err := s.Outbox().Due(t.Context(), time.Now(), 0); err != nil || len(due) != n+1 || due[n].ID != want[n-1].ID+1 {
		t.Errorf("%d messages (error = %v), want %d, with the next number", len(due), err, n+1)
	}
}

// TestView_MaxAge: a view is read without a request while it is young enough, and a
// change always sees what is new.
func TestView_MaxAge(t *testing.T) {
	objects := &fake.ObjectStore{}
	other := openMachine(t, objects)
	s := openView(t, t.TempDir(), objects, "retail", time.Hour)
	if _, err := other.Runs().Enqueue(t.Context(), newRun(1)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Runs().Get(t.Context(), newRun(1).ID); !fault.Is(err, fault.NotFound) {
		t.Errorf("error = %v, want %s: the view is young", err, fault.NotFound)
	}
	if r, err := s.Runs().Enqueue(t.Context(), newRun(2)); err != nil || r.Seq != 2 {
		t.Errorf("seq = %d (error = %v), want 2", r.Seq, err)
	}
	if _, err := s.Runs().Get(t.Context(), newRun(1).ID); err != nil {
		t.Errorf("after the change: %v", err)
	}
	if err := s.Runs().Start(t.Context(), newRun(1).ID, 1, "here", time.Now()); err != nil {
		t.Fatal(err)
	}
	if err := other.Runs().Finish(t.Context(), newRun(1).ID, record.RunResult{Outcome: delivery.OutcomeSucceeded}); err != nil {
		t.Fatal(err)
	}
	if err := s.Runs().Start(t.Context(), newRun(1).ID, 1, "here", time.Now()); !fault.Is(err, fault.Conflict) {
		t.Errorf("start of a run that ended elsewhere: error = %v, want %s", err, fault.Conflict)
	}
}

// TestView_ThrownAway: a view that is damaged, or was deleted, is made again.
func TestView_ThrownAway(t *testing.T) {
	objects := &fake.ObjectStore{}
	dir := t.TempDir()
	s := openView(t, dir, objects, "retail", 0)
	if _, err := s.Runs().Enqueue(t.Context(), newRun(1)); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	files, _ := filepath.Glob(filepath.Join(dir, "*.db"))
	if len(files) != 1 {
		t.Fatalf("files = %v, want one view", files)
	}
	write(t, files[0], "this is not a database")
	if _, err := openView(t, dir, objects, "retail", 0).Runs().Get(t.Context(), newRun(1).ID); err != nil {
		t.Errorf("after it was damaged: %v", err)
	}
}

// TestView_StoreAway: what the store does not take did not happen, and is told so.
func TestView_StoreAway(t *testing.T) {
	objects := &fake.ObjectStore{}
	s := openMachine(t, objects)
	if _, err := s.Runs().Enqueue(t.Context(), newRun(1)); err != nil {
		t.Fatal(err)
	}
	objects.Before = func(method, _ string) error {
		if method == "Create" {
			return fault.New(fault.Denied, "create is forbidden")
		}
		return nil
	}
	if _, err := s.Runs().Enqueue(t.Context(), newRun(2)); !fault.Is(err, fault.Denied) {
		t.Errorf("error = %v, want %s", err, fault.Denied)
	}
	objects.Before = func(string, string) error { return fault.New(fault.Unavailable, "no route to host") }
	if _, err := s.Runs().Get(t.Context(), newRun(1).ID); !fault.Is(err, fault.Unavailable) {
		t.Errorf("read: error = %v, want %s", err, fault.Unavailable)
	}
	objects.Before = nil
	if _, err := s.Runs().Get(t.Context(), newRun(2).ID); !fault.Is(err, fault.NotFound) {
		t.Errorf("a run that was refused: error = %v, want %s", err, fault.NotFound)
	}
}

// TestView_Damaged: what the log should not hold is told, and applied by none.
func TestView_Damaged(t *testing.T) {
	for name, c := range map[string]struct {
		schema int
		rows   string
		want   fault.Kind
	}{
		"newer version":  {99, `[]`, fault.Conflict},
		"older version":  {2, `[]`, fault.Corrupt},
		"unknown table":  {3, `[{"t":"sqlite_schema","r":{"name":"x"}}]`, fault.Corrupt},
		"unknown column": {3, `[{"t":"runs","r":{"id":"x","x\" y":1}}]`, fault.Corrupt},
		"without a key":  {3, `[{"t":"runs","r":{"state":"ended"}}]`, fault.Corrupt},
		"empty row":      {3, `[{"t":"runs"}]`, fault.Corrupt},
		"odd value":      {3, `[{"t":"runs","r":{"project":"retail","id":{"a":1}}}]`, fault.Corrupt},
		"no rows":        {3, `{"a":1}`, fault.Corrupt},
	} {
		t.Run(name, func(t *testing.T) {
			objects := &fake.ObjectStore{}
			s := openMachine(t, objects)
			log, err := statelog.Open(t.Context(), objects, time.Now())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := log.Append(t.Context(), statelog.Position{}, statelog.Entry{Schema: c.schema, Rows: []byte(c.rows)}); err != nil {
				t.Fatal(err)
			}
			_, err = s.Runs().Get(t.Context(), newRun(1).ID)
			var told *fault.Error
			for e := err; errors.As(e, &told) && !fault.Is(told, c.want); e = told.Unwrap() {
				continue
			}
			if told == nil || !fault.Is(told, c.want) {
				t.Errorf("error = %v, want %s", err, c.want)
			}
		})
	}
}

// TestView_Owners: of two that find a run's owner dead one gets it, and the old owner,
// when it wakes, changes nothing.
func TestView_Owners(t *testing.T) {
	objects := &fake.ObjectStore{}
	a, b, c := openMachine(t, objects), openMachine(t, objects), openMachine(t, objects)
	run := newRun(1)
	if _, err := a.Runs().Enqueue(t.Context(), run); err != nil {
		t.Fatal(err)
	}
	none, err := a.Owners().Owner(t.Context(), run.ID)
	if err != nil || none != (record.Ownership{Run: run.ID}) {
		t.Errorf("owner = %+v (error = %v), want none", none, err)
	}
	mine, err := a.Owners().Claim(t.Context(), record.Ownership{Run: run.ID, Holder: "process 1 on a", Machine: "a"})
	if err != nil || mine.Epoch != 1 || mine.Since.IsZero() {
		t.Fatalf("claim = %+v, error = %v", mine, err)
	}
	save := func(s *sqlite.Store, o record.Ownership) error {
		return s.Runs().SaveStep(record.AsOwner(t.Context(), o), record.StepRecord{Run: run.ID, Name: "unit", Attempt: 1})
	}
	if err := save(a, mine); err != nil {
		t.Fatal(err)
	}
	seen, err := b.Owners().Owner(t.Context(), run.ID)
	if err != nil || seen != mine {
		t.Errorf("owner = %+v (error = %v), want %+v", seen, err, mine)
	}
	theirs, errB := b.Owners().Claim(t.Context(), record.Ownership{Run: run.ID, Epoch: seen.Epoch, Holder: "b", Machine: "b"})
	_, errC := c.Owners().Claim(t.Context(), record.Ownership{Run: run.ID, Epoch: seen.Epoch, Holder: "c", Machine: "c"})
	if errB != nil || !fault.Is(errC, fault.Conflict) {
		t.Errorf("errors of two claims = %v and %v, want one %s", errB, errC, fault.Conflict)
	}
	for _, change := range []func() error{
		func() error { return save(a, mine) },
		func() error { return a.Runs().Finish(record.AsOwner(t.Context(), mine), run.ID, record.RunResult{}) },
		func() error {
			_, err := a.Releases().Save(record.AsOwner(t.Context(), mine), delivery.Release{Schema: delivery.ReleaseForm, Service: "x"}, delivery.Origin{Run: run.ID})
			return err
		},
	} {
		if err := change(); !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), "taken over by b") {
			t.Errorf("change by the old owner: error = %v, want %s", err, fault.Conflict)
		}
	}
	if err := save(b, theirs); err != nil {
		t.Errorf("change by the new owner: %v", err)
	}
	if got, err := b.Runs().Get(t.Context(), run.ID); err != nil || got.State != record.Queued {
		t.Errorf("state = %s (error = %v), want %s", got.State, err, record.Queued)
	}
}

// TestOwners_None: the records of one machine need no owners.
func TestOwners_None(t *testing.T) {
	s := open(t, fresh(t))
	defer s.Close()
	if o := s.Owners(); o != nil {
		t.Errorf("owners = %v, want none", o)
	}
}
