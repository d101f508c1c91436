package sqlite_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest/fake"
	"github.com/slipway-cd/slipway/internal/record"
	"github.com/slipway-cd/slipway/internal/record/sqlite"
	"github.com/slipway-cd/slipway/internal/step"
)

// filled makes a file of records of one machine: two runs that have ended, of which one
// is of the machine's environment dev, one that waits, and messages.
func filled(t *testing.T) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "slipway.db")
	s, err := sqlite.Open(t.Context(), path, "retail", time.Now)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for n, env := range []delivery.Environment{"dev", "prod", "prod"} {
		r := newRun(n + 1)
		r.Environment = env
		_, err := s.Runs().Enqueue(t.Context(), r)
		outcome := delivery.OutcomeSucceeded
		if n == 2 {
			outcome = delivery.OutcomeWaiting
		}
		if err == nil {
			err = s.Runs().Finish(t.Context(), r.ID, record.RunResult{Outcome: outcome, At: time.Now()})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	post(t, s, 0, 3)
	return path
}

func runsOf(t *testing.T, s *sqlite.Store) []record.RunSummary {
	t.Helper()
	runs, err := port.Collect(record.AllRuns(t.Context(), s.Runs(), ""))
	if err != nil {
		t.Fatal(err)
	}
	return runs
}

// TestMaintenance_Import: all records of a machine come into an empty log, and another
// machine sees all but those of the first one's own environments.
func TestMaintenance_Import(t *testing.T) {
	path := filled(t)
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	objects := &fake.ObjectStore{}
	s := seenBy(t, openMachine(t, objects), "A1", "dev")
	done, err := s.Maintenance().Import(t.Context(), path)
	if err != nil || done.Runs != 3 || done.Rows < 6 {
		t.Errorf("imported %+v (error = %v), want 3 runs, and messages", done, err)
	}
	if after, err := os.ReadFile(path); err != nil || string(after) != string(before) {
		t.Errorf("the file was changed (error = %v)", err)
	}
	original, err := sqlite.Open(t.Context(), path, "retail", time.Now)
	if err != nil {
		t.Fatal(err)
	}
	defer original.Close()
	want := runsOf(t, original)
	if diff := cmp.Diff(want, runsOf(t, s)); diff != "" {
		t.Errorf("runs on the same machine (-want +got):\n%s", diff)
	}
	other := seenBy(t, openMachine(t, objects), "B2", "dev")
	if diff := cmp.Diff(want[:2], runsOf(t, other)); diff != "" {
		t.Errorf("runs on another machine (-want +got):\n%s", diff)
	}
	wantMessages(t, other, 3)
	post(t, other, 3, 4)
	wantMessages(t, s, 4)
	if v := verify(t, objects); len(v.Problems) > 0 || v.Last != 2 {
		t.Errorf("verification = %+v, want a sound log of 2 entries", v)
	}
	if _, err := s.Maintenance().Import(t.Context(), path); !fault.Is(err, fault.Conflict) || fault.HintOf(err) == "" {
		t.Errorf("a second import: error = %v, want %s with a hint", err, fault.Conflict)
	}
}

func TestMaintenance_ImportRefuses(t *testing.T) {
	t.Run("unfinished run", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "slipway.db")
		from, err := sqlite.Open(t.Context(), path, "retail", time.Now)
		if err != nil {
			t.Fatal(err)
		}
		defer from.Close()
		if _, err := from.Runs().Enqueue(t.Context(), newRun(1)); err != nil {
			t.Fatal(err)
		}
		objects := &fake.ObjectStore{}
		if _, err := openMachine(t, objects).Maintenance().Import(t.Context(), path); !fault.Is(err, fault.Conflict) {
			t.Errorf("error = %v, want %s", err, fault.Conflict)
		}
		if v := verify(t, objects); v.Last != 0 {
			t.Errorf("the log has %d entries, want none", v.Last)
		}
	})
	t.Run("another program's file", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "slipway.db")
		write(t, path, strings.Repeat("x", 200))
		if _, err := openMachine(t, &fake.ObjectStore{}).Maintenance().Import(t.Context(), path); !fault.Is(err, fault.Corrupt) {
			t.Errorf("error = %v, want %s", err, fault.Corrupt)
		}
	})
	t.Run("another machine was faster", func(t *testing.T) {
		objects := &fake.ObjectStore{}
		s, other := openMachine(t, objects), openMachine(t, objects)
		raced := false
		objects.Before = func(method, key string) error {
			if method == "Create" && !raced {
				raced = true
				post(t, other, 0, 1)
			}
			return nil
		}
		if _, err := s.Maintenance().Import(t.Context(), filled(t)); !fault.Is(err, fault.Conflict) {
			t.Errorf("error = %v, want %s", err, fault.Conflict)
		}
		objects.Before = nil
		if v := verify(t, objects); v.Last != 1 || len(v.Problems) > 0 {
			t.Errorf("verification = %+v, want the other's entry only", v)
		}
	})
}

// TestMaintenance_Export: the copy is a file of records of one machine, with what the
// machine sees.
func TestMaintenance_Export(t *testing.T) {
	objects := &fake.ObjectStore{}
	s := seenBy(t, openMachine(t, objects), "A1", "dev")
	if _, err := s.Maintenance().Import(t.Context(), filled(t)); err != nil {
		t.Fatal(err)
	}
	for id, runs := range map[string]int{"A1": 3, "B2": 2} {
		t.Run(id, func(t *testing.T) {
			from := seenBy(t, openMachine(t, objects), id, "dev")
			path := filepath.Join(t.TempDir(), "slipway.db")
			if err := from.Maintenance().Export(t.Context(), path); err != nil {
				t.Fatal(err)
			}
			copied, err := sqlite.Open(t.Context(), path, "retail", time.Now)
			if err != nil {
				t.Fatal(err)
			}
			defer copied.Close()
			if diff := cmp.Diff(runsOf(t, from), runsOf(t, copied)); diff != "" || len(runsOf(t, copied)) != runs {
				t.Errorf("%d runs, want %d (-want +got):\n%s", len(runsOf(t, copied)), runs, diff)
			}
			wantMessages(t, copied, 3)
			post(t, copied, 3, 4)
		})
	}
}

// TestMaintenance_Digests: what a cached result or an unfinished run names is needed, what
// an ended run names is not, unless something else names it.
func TestMaintenance_Digests(t *testing.T) {
	s := openMachine(t, &fake.ObjectStore{})
	key, cached, waiting, ended := delivery.DigestOf([]byte("key")), delivery.DigestOf([]byte("cached")), delivery.DigestOf([]byte("waiting")), delivery.DigestOf([]byte("ended"))
	output := func(d delivery.Digest) []byte { return []byte(`{"files":["` + string(d) + ` and more"]}`) }
	if err := s.Cache().Put(t.Context(), key, "20260101-000000-aaaa", step.Result{Outcome: delivery.OutcomeSucceeded, Output: output(cached)}); err != nil {
		t.Fatal(err)
	}
	for n, c := range []struct {
		outcome delivery.Outcome
		made    delivery.Digest
	}{{delivery.OutcomeWaiting, waiting}, {delivery.OutcomeSucceeded, ended}} {
		r := newRun(n + 1)
		_, err := s.Runs().Enqueue(t.Context(), r)
		if err == nil {
			err = s.Runs().SaveStep(t.Context(), record.StepRecord{Run: r.ID, Name: "train", Attempt: 1, Result: &step.Result{Outcome: delivery.OutcomeSucceeded, Output: output(c.made)}})
		}
		if err == nil {
			err = s.Runs().Finish(t.Context(), r.ID, record.RunResult{Outcome: c.outcome, At: time.Now()})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	got, err := s.Maintenance().Digests(t.Context())
	if err != nil || !got[key] || !got[cached] || !got[waiting] || got[ended] {
		t.Errorf("digests = %v (error = %v), want all but %s", got, err, ended)
	}
}
