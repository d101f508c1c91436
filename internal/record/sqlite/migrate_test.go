package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// version1 is a file as version 1 of the schema left it, with rows in every table:
// the state of e2e/testdata/stored, and approvals, messages, a lifted quarantine, a
// rejected model and a request to cancel.
func version1(t *testing.T) (path string) {
	t.Helper()
	script, err := os.ReadFile("testdata/version1.sql")
	if err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(t.TempDir(), "slipway.db")
	execute(t, path, string(script))
	return path
}

func execute(t *testing.T, path, statements string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	_, err = db.ExecContext(t.Context(), statements)
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
}

// userTables lists the tables of a database with the number of their rows.
func userTables(t *testing.T, db *sql.DB) map[string]int {
	t.Helper()
	names, err := list(t.Context(), db, func(row scanner) (name string, err error) { return name, row.Scan(&name) },
		"SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]int{}
	for _, name := range names {
		var n int
		if err := db.QueryRowContext(t.Context(), "SELECT count(*) FROM "+name).Scan(&n); err != nil {
			t.Fatal(err)
		}
		rows[name] = n
	}
	return rows
}

func openProject(t *testing.T, path string, project delivery.Project) *Store {
	t.Helper()
	s, err := Open(t.Context(), path, project, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestMigrate_KeepsTheRowsOfEveryTable(t *testing.T) {
	path := version1(t)
	before, err := connect(path, 1, "")
	if err != nil {
		t.Fatal(err)
	}
	want := userTables(t, before)
	if err := before.Close(); err != nil {
		t.Fatal(err)
	}
	for table, n := range want {
		if n == 0 {
			t.Errorf("the file of version 1 has no row in table %s", table)
		}
	}
	s := openProject(t, path, "tiny")
	got := userTables(t, s.db.readers)
	for table := range got {
		if _, old := want[table]; !old {
			delete(got, table)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rows after the migration (-want +got):\n%s", diff)
	}
	for _, check := range []string{"integrity_check", "foreign_key_check"} {
		found, err := list(t.Context(), s.db.readers, func(row scanner) (line string, err error) { return line, row.Scan(&line) },
			"SELECT * FROM pragma_"+check)
		if err != nil || len(found) > 1 || len(found) == 1 && found[0] != "ok" {
			t.Errorf("%s: %q, %v", check, found, err)
		}
	}
}

// TestMigrate_SameSchemaAsNewFile: a file that grew and one that was made new must
// not differ, or statements that work on one fail on the other.
func TestMigrate_SameSchemaAsNewFile(t *testing.T) {
	schema := func(s *Store) []string {
		all, err := list(t.Context(), s.db.readers, func(row scanner) (text string, err error) { return text, row.Scan(&text) },
			"SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY type, name")
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	grown, made := openProject(t, version1(t), "tiny"), openProject(t, filepath.Join(t.TempDir(), "new.db"), "tiny")
	if diff := cmp.Diff(schema(made), schema(grown)); diff != "" {
		t.Errorf("schema of a new file (-) and of a migrated one (+):\n%s", diff)
	}
}

func TestMigrate_TablesHaveRoomForUnknownFields(t *testing.T) {
	s := openProject(t, filepath.Join(t.TempDir(), "new.db"), "tiny")
	for table := range userTables(t, s.db.readers) {
		var n int
		if err := s.db.readers.QueryRowContext(t.Context(), "SELECT count(*) FROM pragma_table_info(?) WHERE name = 'extra'", table).Scan(&n); err != nil || n != 1 {
			t.Errorf("table %s has %d columns named extra, %v", table, n, err)
		}
	}
}

// TestMigrate_AllOrNothing: what fails in the middle, as when the process is killed,
// leaves the file as it was, and the next program finishes the job.
func TestMigrate_AllOrNothing(t *testing.T) {
	path := version1(t)
	db, err := connect(path, 1, "_txlock=immediate")
	if err != nil {
		t.Fatal(err)
	}
	broken := errors.New("killed")
	cut := append(migrations()[:1:1], append(migrations()[1], migration{
		statements: "DELETE FROM approvals",
		convert:    func(context.Context, *sql.Tx, delivery.Project) error { return broken },
	}))
	want := userTables(t, db)
	if err := migrate(t.Context(), db, path, "tiny", cut); !errors.Is(err, broken) {
		t.Fatalf("migrate: %v, want %v", err, broken)
	}
	var version int
	if err := db.QueryRowContext(t.Context(), "PRAGMA user_version").Scan(&version); err != nil || version != 1 {
		t.Errorf("version %d (%v) after a migration that failed, want 1", version, err)
	}
	if diff := cmp.Diff(want, userTables(t, db)); diff != "" {
		t.Errorf("rows after a migration that failed (-want +got):\n%s", diff)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	s := openProject(t, path, "tiny")
	if err := s.db.readers.QueryRowContext(t.Context(), "PRAGMA user_version").Scan(&version); err != nil || version != len(migrations()) {
		t.Errorf("version %d (%v) after opening the file again, want %d", version, err, len(migrations()))
	}
}

func TestOpen_NeedsProject(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new.db")
	if _, err := Open(t.Context(), path, "", nil); !fault.Is(err, fault.Invalid) {
		t.Errorf("Open without a project: %v, want fault.Invalid", err)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Open without a project made a file: %v", err)
	}
}

// TestMigrate_DecisionsOnModels: what was decided becomes a row, in the name of whom
// the records had.
func TestMigrate_DecisionsOnModels(t *testing.T) {
	m := openProject(t, version1(t), "tiny").Models()
	decided := func(at int64) time.Time { return time.Unix(0, at).UTC() }
	for version, want := range map[int][]delivery.ModelDecision{
		1: {{Status: delivery.Approved, Revises: delivery.PendingApproval, By: delivery.Actor{Name: "auto: gates passed"}, At: decided(1795920791310259853)}},
		2: nil,
		3: {{Status: delivery.Rejected, Revises: delivery.PendingApproval, By: delivery.Actor{Name: "ben"}, Why: "worse on the holdout", At: decided(1795920796200000000)}},
	} {
		got, err := m.Decisions(t.Context(), "tiny-models", version)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("decisions on version %d: %v (-want +got):\n%s", version, err, diff)
		}
		v, err := m.Get(t.Context(), "tiny-models", version)
		if err != nil {
			t.Fatal(err)
		}
		status, by := delivery.PendingApproval, ""
		if len(want) > 0 {
			status, by = want[0].Status, want[0].By.Name
		}
		if v.Status != status || v.DecidedBy != by || v.Metrics["accuracy"] == nil {
			t.Errorf("version %d: %s by %q with metrics %v, want %s by %q", version, v.Status, v.DecidedBy, v.Metrics, status, by)
		}
	}
}

func TestModels_BelongToAProject(t *testing.T) {
	path := version1(t)
	openProject(t, path, "tiny")
	other := openProject(t, path, "other").Models()
	if all, _, err := other.List(t.Context(), port.ModelFilter{}, port.Page{}); err != nil || len(all) != 0 {
		t.Errorf("models of another project = %+v, %v, want none", all, err)
	}
	m, err := other.Register(t.Context(), "tiny-models", delivery.DigestOf([]byte("x")), nil, delivery.Lineage{})
	if err != nil || m.Version != 1 {
		t.Errorf("registered version %d, %v, want 1", m.Version, err)
	}
}

func TestMigrate_OldRunsAndApprovals(t *testing.T) {
	s := openProject(t, version1(t), "tiny")
	r, err := s.Runs().Get(t.Context(), "20261129-025316-tvpz")
	if err != nil {
		t.Fatal(err)
	}
	if r.By != (delivery.Actor{Name: "tester"}) || r.CancelledBy != (delivery.Actor{Name: "ann"}) {
		t.Errorf("started by %+v, cancelled by %+v, want tester and ann", r.By, r.CancelledBy)
	}
	if r.Commit != r.Plan.Commit.SHA || r.Commit == "" || !r.PlanDigest.Valid() {
		t.Errorf("commit %q, plan %q, want those of the plan", r.Commit, r.PlanDigest)
	}
	decisions, err := s.Approvals().List(t.Context(), "20261129-025308-lotk")
	if err != nil || len(decisions) != 2 {
		t.Fatalf("approvals: %+v, %v, want two", decisions, err)
	}
	if a := decisions[0]; a.By != (delivery.Actor{Name: "ann"}) || !a.Approved || !a.IsAbout("any", "sha256:any") {
		t.Errorf("approval: %+v, want that of ann, about any plan", a)
	}
	other := openProject(t, s.db.path, "other")
	if list, _, err := other.Runs().List(t.Context(), "", port.Page{}); err != nil || len(list) > 0 {
		t.Errorf("runs of another project: %d, %v, want none", len(list), err)
	}
}

// TestQuarantines_OfVersion1: who ended a quarantine was a bare name.
func TestQuarantines_OfVersion1(t *testing.T) {
	got, err := openProject(t, version1(t), "tiny").Releases().Quarantines(t.Context(), "r-25756a259415")
	if err != nil {
		t.Fatal(err)
	}
	want := []delivery.Quarantine{{
		Release: "r-25756a259415", Environment: "prod", Reason: "errors", Since: moment(1795920792300000000), Run: "20261129-025308-lotk",
		EndedBy: delivery.Actor{Name: "ann"}, EndedWhy: "the database was down", EndedAt: moment(1795920792400000000),
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("quarantines (-want +got):\n%s", diff)
	}
}
