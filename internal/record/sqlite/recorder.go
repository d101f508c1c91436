package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	driver "modernc.org/sqlite"
)

// recorder notes which rows a transaction changes.
type recorder struct {
	tables  map[string]table
	changed map[string]touched // by table and key
	order   []string
	err     error
}

// touched is a row that was changed.
type touched struct {
	table string
	key   []any
}

func newRecorder(tables map[string]table) *recorder {
	return &recorder{tables: tables, changed: map[string]touched{}}
}

// Operations of the pre-update hook, as SQLite numbers them.
const (
	sqliteDelete = 9
	sqliteInsert = 18
)

// watch notes the changes on the connection until stop is called.
func (r *recorder) watch(conn *sql.Conn) (stop func(), err error) {
	hook := func(f driver.PreUpdateHookFn) error {
		return conn.Raw(func(c any) error {
			registrar, ok := c.(driver.HookRegisterer)
			if !ok {
				return errors.New("the driver has no hooks")
			}
			registrar.RegisterPreUpdateHook(f)
			return nil
		})
	}
	return func() { _ = hook(nil) }, hook(func(d driver.SQLitePreUpdateData) { r.note(d) })
}

// note keeps the key of the row, before and after. The values themselves are read in
// the end: the hook cuts texts at a NUL byte.
func (r *recorder) note(d driver.SQLitePreUpdateData) {
	t, ok := r.tables[d.TableName]
	if !ok || d.DatabaseName != "main" {
		return
	}
	if d.Op != sqliteInsert {
		r.touch(d.TableName, t, d.Old)
	}
	if d.Op != sqliteDelete {
		r.touch(d.TableName, t, d.New)
	}
}

func (r *recorder) touch(name string, t table, read func(...any) error) {
	values := make([]any, len(t.columns))
	if err := read(values...); err != nil {
		r.err = errors.Join(r.err, fmt.Errorf("note a change of %s: %w", name, err))
		return
	}
	row := touched{table: name}
	for i, c := range t.columns {
		if slices.Contains(t.key, c) {
			row.key = append(row.key, values[i])
		}
	}
	id := fmt.Sprintf("%s %q", name, row.key)
	if _, ok := r.changed[id]; !ok {
		r.order = append(r.order, id)
	}
	r.changed[id] = row
}

// rows reads what the transaction left of the rows that it changed.
func (r *recorder) rows(ctx context.Context, tx *sql.Tx) ([]row, error) {
	if r.err != nil {
		return nil, r.err
	}
	var all []row
	for _, id := range r.order {
		c := r.changed[id]
		t := r.tables[c.table]
		found, err := list(ctx, tx, scanValues(c.table, t.columns), "SELECT "+quoteAll(t.columns)+" FROM "+quote(c.table)+t.whereKey(), c.key...)
		if err != nil {
			return nil, err
		}
		if len(found) == 1 {
			all = append(all, found[0])
			continue
		}
		gone := row{Table: c.table, Gone: map[string]any{}}
		for i, k := range t.key {
			gone.Gone[k] = c.key[i]
		}
		all = append(all, gone)
	}
	return all, nil
}
