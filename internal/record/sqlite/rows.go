package sqlite

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/slipway-cd/slipway/internal/fault"
)

// table is a table whose rows are kept in the log.
type table struct {
	columns []string
	key     []string // of the primary key, in the order of the columns
}

// whereKey selects the row whose key are the arguments.
func (t table) whereKey() string {
	terms := make([]string, len(t.key))
	for i, k := range t.key {
		terms[i] = quote(k) + " IS ?"
	}
	return " WHERE " + strings.Join(terms, " AND ")
}

// loggedTables lists the tables that belong to the records.
func loggedTables(ctx context.Context, db asker) (map[string]table, error) {
	type column struct {
		table, name string
		key         int
	}
	columns, err := list(ctx, db, func(r scanner) (c column, err error) { return c, r.Scan(&c.table, &c.name, &c.key) },
		`SELECT t.name, c.name, c.pk FROM sqlite_schema t, pragma_table_info(t.name) c
		WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite\_%' ESCAPE '\' AND t.name <> 'log_position' ORDER BY t.name, c.cid`)
	tables := map[string]table{}
	for _, c := range columns {
		t := tables[c.table]
		t.columns = append(t.columns, c.name)
		if c.key > 0 {
			t.key = append(t.key, c.name)
		}
		tables[c.table] = t
	}
	return tables, err
}

// row is a row after a change: its values, or if it is gone, those of its key.
type row struct {
	Table string         `json:"t"`
	Row   map[string]any `json:"r,omitempty"`
	Gone  map[string]any `json:"d,omitempty"`
}

// encodeRows writes rows as an entry keeps them. Values are numbers, strings, null, or
// {"b64": ...} for bytes.
func encodeRows(rows []row) (json.RawMessage, error) {
	for _, r := range rows {
		for _, values := range []map[string]any{r.Row, r.Gone} {
			for name, v := range values {
				if raw, ok := v.([]byte); ok {
					values[name] = map[string]any{"b64": base64.StdEncoding.EncodeToString(raw)}
				}
			}
		}
	}
	return json.Marshal(rows)
}

// parseRows reads the rows of an entry, and leads those of an older version to the
// present one.
func parseRows(schema int, document json.RawMessage) (rows []row, err error) {
	if schema > len(migrations()) {
		return nil, fault.New(fault.Conflict, "the shared state was written by a newer Slipway (records version %d, this one knows %d)", schema, len(migrations())).
			Hint("update slipway on this machine")
	}
	decoder := json.NewDecoder(bytes.NewReader(document))
	decoder.UseNumber()
	if err := decoder.Decode(&rows); err != nil {
		return nil, fault.New(fault.Corrupt, "read the rows").Cause(err)
	}
	for _, r := range rows {
		for _, values := range []map[string]any{r.Row, r.Gone} {
			for name, v := range values {
				if values[name], err = parseValue(v); err != nil {
					return nil, fault.New(fault.Corrupt, "read %s.%s", r.Table, name).Cause(err)
				}
			}
		}
	}
	return liftRows(schema, rows)
}

func parseValue(v any) (any, error) {
	switch v := v.(type) {
	case nil, string:
		return v, nil
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n, nil
		}
		return v.Float64()
	case map[string]any:
		text, ok := v["b64"].(string)
		if !ok {
			return nil, errors.New("the value is an object")
		}
		return base64.StdEncoding.DecodeString(text)
	}
	return nil, fmt.Errorf("the value is a %T", v)
}

// firstLogVersion is the version of the records with which logs began.
const firstLogVersion = 3

// lifts returns what leads rows of one version of the records to the next, by that
// version. There is none yet: whoever adds a version of the records adds its lift here,
// and a fixture to testdata/log.
func lifts() map[int]func([]row) ([]row, error) { return map[int]func([]row) ([]row, error){} }

func liftRows(schema int, rows []row) (_ []row, err error) {
	if schema < firstLogVersion {
		return nil, fault.New(fault.Corrupt, "rows of records version %d", schema)
	}
	for ; schema < len(migrations()); schema++ {
		lift, ok := lifts()[schema]
		if !ok {
			return nil, fault.New(fault.Internal, "rows of records version %d can't be read", schema)
		}
		if rows, err = lift(rows); err != nil {
			return nil, err
		}
	}
	return rows, nil
}

// applyRows brings the rows to the state that the entry says. It removes all of them
// first: what is inserted then can't collide with what another row held before. The
// connection has no foreign keys, because the order of the rows means nothing.
func (v *view) applyRows(ctx context.Context, tx *sql.Tx, rows []row) error {
	for _, r := range rows {
		if err := v.removeRow(ctx, tx, r); err != nil {
			return err
		}
	}
	for _, r := range rows {
		if r.Row == nil {
			continue
		}
		if r.Table == sequences { // by now the rows of its table have made one
			if err := v.removeRow(ctx, tx, r); err != nil {
				return err
			}
		}
		var names, marks []string
		var args []any
		for _, c := range slices.Sorted(maps.Keys(r.Row)) {
			names, marks, args = append(names, quote(c)), append(marks, "?"), append(args, r.Row[c])
		}
		insert := "INSERT INTO " + quote(r.Table) + " (" + strings.Join(names, ", ") + ") VALUES (" + strings.Join(marks, ", ") + ")" //nolint:gosec // names of our own tables, quoted
		if _, err := tx.ExecContext(ctx, insert, args...); err != nil {
			return fmt.Errorf("insert into %s: %w", r.Table, err)
		}
	}
	return nil
}

func (v *view) removeRow(ctx context.Context, tx *sql.Tx, r row) error {
	t, err := v.table(r)
	if err != nil {
		return err
	}
	values := r.Row
	if values == nil {
		values = r.Gone
	}
	var args []any
	for _, k := range t.key {
		args = append(args, values[k])
	}
	remove := "DELETE FROM " + quote(r.Table) + t.whereKey() //nolint:gosec // names of our own tables, quoted
	if _, err := tx.ExecContext(ctx, remove, args...); err != nil {
		return fmt.Errorf("delete from %s: %w", r.Table, err)
	}
	return nil
}

// table returns the row's table, if the row has nothing but what belongs there.
func (v *view) table(r row) (table, error) {
	t, ok := v.tables[r.Table]
	if r.Table == sequences {
		t, ok = table{columns: []string{"name", "seq"}, key: []string{"name"}}, true
	}
	if !ok {
		return t, fault.New(fault.Corrupt, "unknown table %q", r.Table)
	}
	for _, values := range []map[string]any{r.Row, r.Gone} {
		for name := range values {
			if !slices.Contains(t.columns, name) {
				return t, fault.New(fault.Corrupt, "unknown column %q of table %s", name, r.Table)
			}
		}
	}
	for _, k := range t.key {
		if _, ok := r.Row[k]; !ok && r.Row != nil {
			return t, fault.New(fault.Corrupt, "a row of %s has no %s", r.Table, k)
		}
	}
	if r.Row == nil && len(r.Gone) == 0 {
		return t, fault.New(fault.Corrupt, "a row of %s is empty", r.Table)
	}
	return t, nil
}

// sequences is where SQLite keeps the numbers that AUTOINCREMENT has given: a snapshot
// needs them where the newest row was deleted.
const sequences = "sqlite_sequence"

// allRows returns the rows of all tables.
func (v *view) allRows(ctx context.Context, from asker) (all []row, err error) {
	tables := maps.Clone(v.tables)
	tables[sequences] = table{columns: []string{"name", "seq"}}
	for _, name := range slices.Sorted(maps.Keys(tables)) {
		rows, err := list(ctx, from, scanValues(name, tables[name].columns), "SELECT "+quoteAll(tables[name].columns)+" FROM "+quote(name))
		if err != nil {
			return nil, err
		}
		all = append(all, rows...)
	}
	return all, nil
}

func scanValues(name string, columns []string) func(scanner) (row, error) {
	return func(from scanner) (row, error) {
		values := make([]any, len(columns))
		into := make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		if err := from.Scan(into...); err != nil {
			return row{}, err
		}
		r := row{Table: name, Row: map[string]any{}}
		for i, c := range columns {
			r.Row[c] = values[i]
		}
		return r, nil
	}
}

func quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

func quoteAll(names []string) string {
	quoted := make([]string, len(names))
	for i, n := range names {
		quoted[i] = quote(n)
	}
	return strings.Join(quoted, ", ")
}
