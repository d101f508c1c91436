package sqlite_test

import (
	"bytes"
	"database/sql"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest/fake"
	"github.com/slipway-cd/slipway/internal/record"
	"github.com/slipway-cd/slipway/internal/record/sqlite"
	"github.com/slipway-cd/slipway/internal/record/statelog"
	"github.com/slipway-cd/slipway/internal/step"
)

// aging is a store whose clock the test moves.
func aging() (objects *fake.ObjectStore, pass func(time.Duration)) {
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	objects = &fake.ObjectStore{Clock: func() time.Time { return at }}
	return objects, func(d time.Duration) { at = at.Add(d) }
}

func openLog(t *testing.T, objects port.ObjectStore) *statelog.Log {
	t.Helper()
	log, err := statelog.Open(t.Context(), objects, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return log
}

func post(t *testing.T, s *sqlite.Store, from, to int) {
	t.Helper()
	for i := from; i < to; i++ {
		if err := s.Outbox().Post(t.Context(), "hook", port.Message{ID: fmt.Sprint(i), JSON: []byte("{}")}); err != nil {
			t.Fatal(err)
		}
	}
}

func wantMessages(t *testing.T, s *sqlite.Store, want int) {
	t.Helper()
	if due, err := s.Outbox().Due(t.Context(), time.Now().Add(time.Hour), 0); err != nil || len(due) != want {
		t.Errorf("%d messages (error = %v), want %d", len(due), err, want)
	}
}

func verify(t *testing.T, objects port.ObjectStore) record.LogVerification {
	t.Helper()
	v, err := sqlite.VerifyLog(t.Context(), t.TempDir(), openLog(t, objects), func(int64) {})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestView_Pruned: a machine whose view is older than what was removed goes on from the
// newest snapshot, whether it reads or changes first; and a new one starts there.
func TestView_Pruned(t *testing.T) {
	objects, pass := aging()
	const interval = statelog.SnapshotInterval
	dir := t.TempDir()
	open := func(dir string) *sqlite.Store { return openView(t, dir, objects, "retail", time.Hour) }
	stale := open(dir)
	post(t, stale, 0, 5)
	copied := t.TempDir() // of the view, as a CI restores one
	if err := stale.Copy(t.Context(), copied+"/"+openLog(t, objects).Identity.ID+"-v3.db"); err != nil {
		t.Fatal(err)
	}
	if err := stale.Close(); err != nil {
		t.Fatal(err)
	}
	writer := openMachine(t, objects)
	post(t, writer, 5, interval+20)
	pass(statelog.MinRetention)
	post(t, writer, interval+20, 3*interval+20)
	v := verify(t, objects)
	if len(v.Problems) > 0 || len(v.Snapshots) != 3 {
		t.Fatalf("verification = %+v, want 3 sound snapshots", v)
	}
	pruned, err := openLog(t, objects).Prune(t.Context(), statelog.PruneOptions{MinAge: statelog.MinRetention, Snapshots: v.Snapshots})
	if err != nil || pruned.Through != interval {
		t.Fatalf("pruned = %+v (error = %v), want through %d", pruned, err, interval)
	}
	const all = 3*interval + 20
	wantMessages(t, open(dir), all)
	changing := open(copied)
	post(t, changing, all, all+1)
	wantMessages(t, changing, all+1)
	wantMessages(t, openMachine(t, objects), all+1)
	post(t, writer, all+1, all+2)
	if v := verify(t, objects); len(v.Problems) > 0 || v.First != interval+1 || v.Last != all+2 || len(v.Snapshots) != 3 {
		t.Errorf("verification = %+v, want a sound log from entry %d to %d", v, interval+1, all+2)
	}
}

// TestView_PrunedWithoutSnapshot: what can't be read any more is told, not passed over.
func TestView_PrunedWithoutSnapshot(t *testing.T) {
	objects, pass := aging()
	s := openMachine(t, objects)
	post(t, s, 0, statelog.SnapshotInterval)
	pass(statelog.MinRetention)
	post(t, s, statelog.SnapshotInterval, 2*statelog.SnapshotInterval)
	log := openLog(t, objects)
	if _, err := log.Prune(t.Context(), statelog.PruneOptions{MinAge: statelog.MinRetention, Snapshots: []int64{200, 400}}); err != nil {
		t.Fatal(err)
	}
	for _, n := range []string{"200", "400"} {
		objects.Change("snap/000000000"+n+".zst", func(b []byte) []byte { return b[:9] })
	}
	_, err := sqlite.OpenView(t.Context(), t.TempDir(), "retail", time.Now, log, 0)
	if !fault.Is(err, fault.Corrupt) && (err == nil || !strings.Contains(err.Error(), "no snapshot")) {
		t.Errorf("error = %v, want that no snapshot can be read", err)
	}
}

func TestVerifyLog(t *testing.T) {
	objects, _ := aging()
	s := openMachine(t, objects)
	key := delivery.DigestOf([]byte("key"))
	if err := s.Cache().Put(t.Context(), key, "20260101-000000-aaaa", step.Result{Outcome: delivery.OutcomeSucceeded}); err != nil {
		t.Fatal(err)
	}
	// That it was used is noted here, and not in the log.
	if _, ok, err := s.Cache().Lookup(t.Context(), key); !ok || err != nil {
		t.Fatal(ok, err)
	}
	post(t, s, 0, 2*statelog.SnapshotInterval)
	log := openLog(t, objects)
	if v := verify(t, objects); len(v.Problems) > 0 || len(v.Snapshots) != 2 || v.First != 1 || v.Last != 2*statelog.SnapshotInterval+1 {
		t.Errorf("verification = %+v, want no problems", v)
	}
	was, err := log.Snapshot(t.Context(), statelog.SnapshotInterval)
	if err != nil {
		t.Fatal(err)
	}
	replace := func(t *testing.T, at statelog.Position, statement string) {
		t.Helper()
		content, err := was.Content()
		if err != nil {
			t.Fatal(err)
		}
		defer content.Close()
		file, err := io.ReadAll(content)
		if err != nil {
			t.Fatal(err)
		}
		next := statelog.Snapshot{After: at, Schema: was.Schema}
		if err := objects.Delete(t.Context(), "snap/000000000200.zst"); err != nil {
			t.Fatal(err)
		}
		if err := log.SaveSnapshot(t.Context(), next, bytes.NewReader(edit(t, file, statement))); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name      string
		at        statelog.Position
		statement string
		wants     string
	}{
		{"a row is missing", was.After, "DELETE FROM outbox WHERE id = (SELECT max(id) FROM outbox)", "table outbox differs"},
		{"a value was changed", was.After, "UPDATE outbox SET receiver = 'else' WHERE id = 1", "table outbox differs"},
		{"of another entry", statelog.Position{N: was.After.N, Digest: key}, "UPDATE log_position SET digest = '" + string(key) + "'", "another entry"},
		{"at another entry than it says", was.After, "UPDATE log_position SET n = 1", "after entry 1"},
		{"no records", was.After, "", "does not hold Slipway's records"},
		{"a trigger", was.After, "CREATE TRIGGER x AFTER INSERT ON runs BEGIN DELETE FROM quarantine; END", "triggers"},
	} {
		t.Run(c.name, func(t *testing.T) {
			replace(t, c.at, c.statement)
			v := verify(t, objects)
			if len(v.Problems) != 1 || !strings.Contains(v.Problems[0].Error(), c.wants) || len(v.Snapshots) != 1 {
				t.Errorf("problems = %v, sound snapshots = %d, want one problem: %s", v.Problems, v.Snapshots, c.wants)
			}
		})
	}
	t.Run("damaged entry", func(t *testing.T) {
		objects.Change("log/000000000009.json", func(b []byte) []byte { return []byte(strings.Replace(string(b), "hook", "hoop", 1)) })
		if v := verify(t, objects); len(v.Problems) != 1 || !strings.Contains(v.Problems[0].Error(), "entry 10") {
			t.Errorf("problems = %v, want one of entry 10", v.Problems)
		}
	})
}

// edit runs the statement on a file of records; without one, the file is none.
func edit(t *testing.T, file []byte, statement string) []byte {
	t.Helper()
	if statement == "" {
		return []byte("this is not a database")
	}
	path := filepath.Join(t.TempDir(), "copy.db")
	write(t, path, string(file))
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.ExecContext(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	edited, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return edited
}
