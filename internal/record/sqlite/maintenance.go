package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/record"
	"github.com/slipway-cd/slipway/internal/record/statelog"
)

// maintenance is what is done with a view as a whole.
type maintenance struct{ *database }

// Maintenance returns what is done with shared records as a whole, or nil if the records
// are those of one machine.
func (s *Store) Maintenance() record.Maintenance {
	if s.db.view == nil {
		return nil
	}
	return maintenance{s.db}
}

// Import implements record.Maintenance.
func (m maintenance) Import(ctx context.Context, path string) (done record.Imported, err error) {
	if _, err := m.catchUp(ctx); err != nil {
		return done, err
	}
	at, err := readPosition(ctx, m.readers)
	if err != nil {
		return done, record.DatabaseError("read the view of the shared state", m.path, err)
	}
	if at.N > 0 {
		return done, notEmpty()
	}
	rows, err := m.rowsOf(ctx, path)
	if err != nil || len(rows) == 0 {
		return done, err
	}
	for _, r := range rows {
		done.Rows++
		if r.Table == "runs" {
			done.Runs++
		}
	}
	_, err = m.publish(ctx, at, rows)
	if errors.Is(err, statelog.ErrTaken) {
		return done, notEmpty()
	}
	if err != nil {
		return done, err
	}
	return done, m.saveSnapshot(ctx) // an empty machine would apply all these rows one by one
}

func notEmpty() error {
	return fault.New(fault.Conflict, "the shared state is not empty").
		Hint("records can only be brought into an empty one: name another place")
}

// rowsOf returns all rows of a file of records, as the log keeps them. They are read from
// a copy, which is brought to the present version.
func (m maintenance) rowsOf(ctx context.Context, path string) (all []row, err error) {
	dir, err := os.MkdirTemp(filepath.Dir(m.path), "import-*")
	if err != nil {
		return nil, denied(m.path, err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	s, err := m.openCopy(ctx, path, filepath.Join(dir, "copy.db"))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	unfinished, err := s.Runs().Unfinished(ctx)
	if err != nil {
		return nil, err
	}
	if len(unfinished) > 0 {
		return nil, fault.New(fault.Conflict, "run %s is not finished: only this machine can go on with it", unfinished[0].ID).
			Hint("finish it with `slipway run --resume %s --state none`", unfinished[0].ID)
	}
	if all, err = m.view.allRows(ctx, s.db.readers); err != nil {
		return nil, record.DatabaseError("read the records", path, err)
	}
	for _, r := range all {
		if env, ok := r.Row["environment"].(string); ok && (r.Table == "runs" || r.Table == "deployments") {
			r.Row["environment"] = m.machine.stored(delivery.Environment(env))
		}
	}
	return all, nil
}

// openCopy copies a file of records and opens the copy: the original may be of an older
// version, and is left so.
func (m maintenance) openCopy(ctx context.Context, path, to string) (*Store, error) {
	if ours, err := recognise(path); err != nil || !ours {
		if err == nil {
			err = record.CorruptDatabase(path)
		}
		return nil, err
	}
	original, err := connect(path, 1, "")
	if err != nil {
		return nil, err
	}
	_, err = original.ExecContext(ctx, "VACUUM INTO ?", to)
	if err = errors.Join(err, original.Close()); err != nil {
		return nil, record.DatabaseError("copy the records", path, err)
	}
	return Open(ctx, to, m.project, m.clock)
}

// Export implements record.Maintenance. The environments of this machine have their
// plain names in the file, and those of other machines are not in it.
func (m maintenance) Export(ctx context.Context, path string) error {
	if err := m.refresh(ctx); err != nil {
		return err
	}
	if err := m.copyRecords(ctx, path); err != nil {
		return err
	}
	db, err := connect(path, 1, "_txlock=immediate")
	if err != nil {
		return err
	}
	return errors.Join(record.DatabaseError("copy the records to "+path, path, m.makePlain(ctx, db)), db.Close())
}

func (m maintenance) makePlain(ctx context.Context, db *sql.DB) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // a no-op once committed
	statements := []string{"DROP TABLE log_position"}
	suffix := machineMark + m.machine.id
	for _, t := range []string{"runs", "deployments"} {
		if m.machine.id != "" {
			statements = append(statements, fmt.Sprintf("UPDATE %s SET environment = substr(environment, 1, length(environment) - %d) WHERE environment LIKE %s", t, len(suffix), text("%"+suffix)))
		}
	}
	for _, s := range append(statements, removeOthers()...) {
		if _, err := tx.ExecContext(ctx, s); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// removeOthers removes what belongs to environments of single machines.
func removeOthers() []string {
	others := fmt.Sprintf("instr(environment, '%s') > 0", machineMark)
	ofRuns := "(project, run) IN (SELECT project, id FROM runs WHERE " + others + ")"
	return []string{
		"DELETE FROM steps WHERE " + ofRuns, "DELETE FROM approvals WHERE " + ofRuns, "DELETE FROM owners WHERE " + ofRuns,
		"DELETE FROM runs WHERE " + others, "DELETE FROM deployments WHERE " + others,
	}
}

// Digests implements record.Maintenance. What the steps of an ended run made is needed
// only if something else names it: a cached result, a model, a release.
func (m maintenance) Digests(ctx context.Context) (map[delivery.Digest]bool, error) {
	all, err := m.view.allRows(ctx, m.read)
	if err != nil {
		return nil, record.DatabaseError("read the records", m.path, err)
	}
	type run struct{ project, id any }
	ended := map[run]bool{}
	for _, r := range all {
		if r.Table == "runs" && r.Row["state"] == string(record.Ended) {
			ended[run{r.Row["project"], r.Row["id"]}] = true
		}
	}
	found := map[delivery.Digest]bool{}
	for _, r := range all {
		switch {
		case r.Table == "runs" && ended[run{r.Row["project"], r.Row["id"]}]:
			continue
		case r.Table == "steps" && ended[run{r.Row["project"], r.Row["run"]}]:
			continue
		}
		for _, value := range r.Row {
			if text, ok := value.(string); ok {
				for d := range delivery.DigestsIn(text) {
					found[d] = true
				}
			}
		}
	}
	return found, nil
}
