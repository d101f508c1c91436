package engine_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port/porttest"
	"github.com/slipway-cd/slipway/internal/record"
	"github.com/slipway-cd/slipway/internal/record/storetest"
	"github.com/slipway-cd/slipway/internal/step"
)

// rows runs statements on a database of the lab, and returns the first column of
// the last.
func rows(t *testing.T, path string, statements ...string) []string {
	t.Helper()
	db, err := sql.Open("sqlite", path+"?_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	var out []string
	for _, s := range statements {
		out = nil
		r, err := db.Query(s)
		if err != nil {
			t.Fatalf("%s: %v", s, err)
		}
		for r.Next() {
			var v string
			if err := r.Scan(&v); err != nil {
				t.Fatal(err)
			}
			out = append(out, v)
		}
		if err := errors.Join(r.Err(), r.Close()); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// TestJournal_KeepsRunsApart: a run that was put back for recovery must not be taken up by
// the process of another run, which shares the journal and looks for work in it.
func TestJournal_KeepsRunsApart(t *testing.T) {
	home := t.TempDir()
	dead := newLab(t, home)
	suspendIn(t, dead, "deploy", newPlan(1, deployPlan(3)...))
	// As kill -9 leaves it between being put back and being taken up.
	state := "SELECT status FROM workflow_status WHERE workflow_uuid = '" + string(runID(1)) + "/1'"
	got := rows(t, filepath.Join(home, "engine.db"),
		"UPDATE workflow_status SET status = 'ENQUEUED', queue_name = '_dbos_internal_queue', owner_xid = NULL", state)
	wantList(t, "put back", got, []string{"ENQUEUED"})
	l := newLab(t, home)
	l.does["unit"] = func(context.Context, step.Request) (step.Result, error) {
		awaitDequeue(t, home, runID(2))
		return step.Succeed("", nil)
	}
	other := newPlan(2, step.Spec{Name: "unit"})
	other.Environment = "dev"
	wantRun(t, l.run(other), record.Ended, delivery.OutcomeSucceeded, "")
	wantList(t, "not taken up", rows(t, filepath.Join(home, "engine.db"), state), []string{"ENQUEUED"})
	delete(l.does, "unit")
	run, err := l.Resume(t.Context(), runID(1))
	if err != nil {
		t.Fatal(err)
	}
	wantRun(t, run, record.Ended, delivery.OutcomeDeployed, "")
	wantList(t, "ran", l.started(), []string{"unit/1", "deploy/1", "verify/1"})
}

// awaitDequeue returns once the process that runs the run has taken work from DBOS's
// queue: it queues a workflow of the run's application, behind all others, and waits
// until that is claimed. The workflow has no code, so that nothing runs.
func awaitDequeue(t *testing.T, home string, run delivery.RunID) {
	t.Helper()
	path := filepath.Join(home, "engine.db")
	rows(t, path, `INSERT INTO workflow_status (workflow_uuid, status, name, queue_name, application_name, application_version, created_at)
		SELECT 'probe', 'ENQUEUED', 'probe', '_dbos_internal_queue', application_name, application_version, created_at + 1
		FROM workflow_status WHERE workflow_uuid = '`+string(run)+`/1'`)
	porttest.Await(t, "DBOS takes work from its queue", func() bool {
		return slices.Equal(rows(t, path, "SELECT status FROM workflow_status WHERE workflow_uuid = 'probe'"), []string{"PENDING"})
	})
	rows(t, path, "DELETE FROM workflow_status WHERE workflow_uuid = 'probe'")
}

func TestJournal_DeletesEndedRuns(t *testing.T) {
	l := newLab(t, t.TempDir())
	l.run(newPlan(1, deployPlan(3)...))
	l.does["approve"] = answers(delivery.OutcomeWaiting, "for ben")
	l.run(approvalPlan(2))
	for _, table := range []string{"workflow_status", "workflow_input", "operation_outputs"} {
		wantList(t, table, rows(t, filepath.Join(l.Home, "engine.db"), "SELECT count(*) FROM "+table), []string{"0"})
	}
}

func TestRun_RefusesOverrides(t *testing.T) {
	for _, name := range []string{"DBOS__VMID", "DBOS__APPVERSION", "DBOS__CLOUD"} {
		t.Run(name, func(t *testing.T) {
			t.Setenv(name, "x")
			l := newLab(t, t.TempDir())
			_, err := l.Run(t.Context(), newPlan(1, step.Spec{Name: "unit"}))
			if !fault.Is(err, fault.Invalid) || !strings.Contains(fault.HintOf(err), "unset "+name) {
				t.Errorf("Run with %s set: error %v, hint %q; want fault.Invalid and a hint to unset it", name, err, fault.HintOf(err))
			}
			t.Setenv(name, "")
			if run, err := l.Resume(t.Context(), runID(1)); err != nil || run.Outcome != delivery.OutcomeSucceeded {
				t.Errorf("Resume with %s unset: outcome %q, error %v; want %q", name, run.Outcome, err, delivery.OutcomeSucceeded)
			}
		})
	}
}

func TestRun_DamagedJournal(t *testing.T) {
	for name, damage := range map[string]func(path string) error{
		"garbage": func(path string) error { return os.WriteFile(path, []byte(strings.Repeat("garbage ", 900)), 0o644) },
		"overwritten pages": func(path string) error {
			f, err := os.OpenFile(path, os.O_WRONLY, 0)
			if err != nil {
				return err
			}
			_, err = f.WriteAt([]byte(strings.Repeat("\xff", 16<<10)), 200)
			return errors.Join(err, f.Close())
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, t.TempDir())
			l.run(newPlan(1, step.Spec{Name: "unit"}))
			path := filepath.Join(l.Home, "engine.db")
			if err := damage(path); err != nil {
				t.Fatal(err)
			}
			_, err := l.Run(t.Context(), newPlan(2, step.Spec{Name: "unit"}))
			if !fault.Is(err, fault.Corrupt) || !strings.Contains(fault.HintOf(err), path) {
				t.Errorf("error %v of kind %s, hint %q; want fault.Corrupt and a hint with %s", err, fault.KindOf(err), fault.HintOf(err), path)
			}
		})
	}
}

// TestRun_ForeignJournal: the journal of a run that does not match its plan must not
// block the queue for ever.
func TestRun_ForeignJournal(t *testing.T) {
	home := t.TempDir()
	l := newLab(t, home)
	suspendIn(t, l, "deploy", newPlan(1, deployPlan(3)...))
	rows(t, filepath.Join(home, "engine.db"), "UPDATE operation_outputs SET function_name = 'something else'")
	other := newLab(t, home)
	run := other.run(newPlan(2, step.Spec{Name: "build", Kind: step.Build}))
	wantRun(t, run, record.Ended, delivery.OutcomeSucceeded, "")
	first, err := other.Runs.Get(t.Context(), runID(1))
	if err != nil {
		t.Fatal(err)
	}
	wantRun(t, first, record.Ended, delivery.OutcomeRollbackFailed, "does not match its plan")
}

// TestResume_PlanOfVersion1 finishes what the first version left when it was killed in
// the middle of a deployment. The files are its rows: they never change.
func TestResume_PlanOfVersion1(t *testing.T) {
	home := t.TempDir()
	restore := func(db, file string) {
		text, err := os.ReadFile(filepath.Join("testdata", "v1", file))
		if err != nil {
			t.Fatal(err)
		}
		rows(t, filepath.Join(home, db), strings.Split(strings.TrimSpace(string(text)), ";\n")...)
	}
	restore("slipway.db", "schema.sql")
	restore("slipway.db", "records.sql")
	l := newLab(t, home)
	warm := newPlan(9, step.Spec{Name: "unit"})
	warm.Environment = "warm"
	l.run(warm) // makes the journal's tables
	restore("engine.db", "journal.sql")
	l.ran = nil
	l.does["verify"] = func(_ context.Context, r step.Request) (step.Result, error) {
		if string(r.Inputs["unit"]) != `{"by":"unit"}` || r.StartedBy.Name != "ana" || r.Commit.SHA != strings.Repeat("a", 40) {
			t.Errorf("request: %+v", r)
		}
		return fails("503", "")(t.Context(), r)
	}
	run, err := l.Resume(t.Context(), runID(1))
	if err != nil {
		t.Fatal(err)
	}
	wantRun(t, run, record.Ended, delivery.OutcomeRolledBack, "verify: 503")
	wantList(t, "ran", l.started(), []string{"deploy/1", "verify/1", "rollback.deploy/1"})
}

// TestWriteVersion1 writes the files of TestResume_PlanOfVersion1. They were written
// once; it only runs when somebody asks for it by name, for a new version.
func TestWriteVersion1(t *testing.T) {
	dir := os.Getenv("SLIPWAY_WRITE_FIXTURE")
	if dir == "" {
		t.Skip("writes the fixture of a version: set SLIPWAY_WRITE_FIXTURE to its folder")
	}
	home := t.TempDir()
	l := newLab(t, home)
	suspendIn(t, l, "deploy", newPlan(1, deployPlan(3)...))
	dump(t, filepath.Join(home, "slipway.db"), filepath.Join(dir, "records.sql"), "runs", "steps")
	dump(t, filepath.Join(home, "engine.db"), filepath.Join(dir, "journal.sql"), "workflow_status", "workflow_input", "operation_outputs")
}

// dump writes the rows of tables as INSERT statements, without NULL columns.
func dump(t *testing.T, db, file string, tables ...string) {
	t.Helper()
	var out strings.Builder
	for _, table := range tables {
		columns := rows(t, db, "SELECT name FROM pragma_table_info('"+table+"')")
		for _, id := range rows(t, db, "SELECT row_number() OVER () - 1 FROM "+table) {
			var names, values []string
			for _, c := range columns {
				v := rows(t, db, fmt.Sprintf("SELECT quote(%q) FROM %s LIMIT 1 OFFSET %s", c, table, id))[0]
				if v != "NULL" {
					names, values = append(names, c), append(values, v)
				}
			}
			fmt.Fprintf(&out, "INSERT INTO %s (%s)\nVALUES (%s);\n", table, strings.Join(names, ", "), strings.Join(values, ", "))
		}
	}
	if err := os.WriteFile(file, []byte(out.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestRun_FullDisk: there is no room for a checkpoint. The run stops without losing
// anything, says why, and goes on once there is room.
func TestRun_FullDisk(t *testing.T) {
	if !storetest.InSubprocess(t) {
		return
	}
	for _, point := range []string{"queued", "begun unit", "ran unit", "begun deploy", "ran deploy", "ran rollback.deploy", "journaled"} {
		t.Run(point, func(t *testing.T) {
			l := newLab(t, t.TempDir())
			l.does["verify"] = fails("503", "")
			var old syscall.Rlimit
			if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
				t.Fatal(err)
			}
			room := func(size uint64) {
				limit := old
				limit.Cur = size
				if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
					t.Error(err)
				}
			}
			var resumed atomic.Bool // goroutines of the run that stopped may still read Failpoint
			l.Failpoint = func(p string) {
				if p == point && !resumed.Load() {
					room(100)
				}
			}
			_, err := l.Run(t.Context(), newPlan(1, deployPlan(3)...))
			room(old.Cur)
			if !fault.Is(err, fault.Exhausted) || fault.HintOf(err) == "" {
				t.Fatalf("no room at %q: %v (%s)", point, err, fault.KindOf(err))
			}
			resumed.Store(true)
			run, err := l.Resume(t.Context(), runID(1))
			if err != nil {
				t.Fatal(err)
			}
			wantRun(t, run, record.Ended, delivery.OutcomeRolledBack, "verify: 503")
			wantList(t, "records", l.outcomes(run.ID), []string{"unit succeeded", "deploy succeeded", "verify failed", "rollback.deploy succeeded"})
		})
	}
}
