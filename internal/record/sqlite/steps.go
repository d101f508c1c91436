package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/record"
	"github.com/slipway-cd/slipway/internal/step"
)

// SaveStep implements record.Runs.
func (s runs) SaveStep(ctx context.Context, r record.StepRecord) error {
	return s.SaveSteps(ctx, []record.StepRecord{r})
}

// SaveSteps implements record.StepBatcher. A record of an earlier attempt than the
// one that is kept is old news and changes nothing.
func (s runs) SaveSteps(ctx context.Context, steps []record.StepRecord) error {
	if len(steps) == 0 {
		return nil
	}
	return s.change(ctx, fmt.Sprintf("record steps of run %s", steps[0].Run), func(tx *sql.Tx) error {
		stmt, err := tx.PrepareContext(ctx, `INSERT INTO steps (project, run, name, idx, kind, attempt, begun, result, extra)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, json_patch('{}', json_object('unmet', ?, 'cancelled', ?)))
			ON CONFLICT (project, run, name) DO UPDATE SET idx = excluded.idx, kind = excluded.kind, attempt = excluded.attempt,
				begun = excluded.begun, result = excluded.result, extra = json_patch(json_remove(steps.extra, '$.unmet', '$.cancelled'), excluded.extra)
			WHERE excluded.attempt > steps.attempt
				OR (excluded.attempt = steps.attempt AND (excluded.result IS NOT NULL OR steps.result IS NULL))`)
		if err != nil {
			return err
		}
		defer stmt.Close()
		known := map[delivery.RunID]bool{}
		for _, r := range steps {
			if !known[r.Run] {
				if _, err := s.find(ctx, tx, r.Run); err != nil {
					return err
				}
				known[r.Run] = true
			}
			if err := s.saveStep(ctx, stmt, r); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s runs) saveStep(ctx context.Context, stmt *sql.Stmt, r record.StepRecord) error {
	var document sql.NullString
	if r.Result != nil {
		raw, err := json.Marshal(r.Result)
		if err != nil {
			return fmt.Errorf("write the result of step %s: %w", r.Name, err)
		}
		document = sql.NullString{String: string(raw), Valid: true}
	}
	_, err := stmt.ExecContext(ctx, s.project, r.Run, r.Name, r.Index, r.Kind, r.Attempt, nanos(r.Begun), document,
		sql.NullString{String: r.Unmet, Valid: r.Unmet != ""}, sql.NullString{String: r.Cancelled, Valid: r.Cancelled != ""})
	return err
}

// ListSteps implements record.Runs.
func (s runs) ListSteps(ctx context.Context, id delivery.RunID) ([]record.StepRecord, error) {
	out, err := list(ctx, s.read, scanStep, `SELECT `+stepColumns+` FROM steps WHERE project = ? AND run = ? ORDER BY idx, name`, s.project, id)
	return out, record.DatabaseError(fmt.Sprintf("list the steps of run %s", id), s.path, err)
}

// FindSteps implements record.Runs.
func (s runs) FindSteps(ctx context.Context, kinds []step.Kind, since time.Time) ([]record.StepRecord, error) {
	if len(kinds) == 0 {
		return nil, nil
	}
	args := []any{s.project, nanos(since)}
	for _, k := range kinds {
		args = append(args, k)
	}
	out, err := list(ctx, s.read, scanStep, `SELECT `+stepColumns+` FROM steps
		WHERE project = ? AND begun >= ? AND kind IN (?`+strings.Repeat(", ?", len(kinds)-1)+`) ORDER BY begun, run, idx`, args...)
	return out, record.DatabaseError("find steps of runs", s.path, err)
}

const stepColumns = `run, name, idx, kind, attempt, begun, result, coalesce(json_extract(extra, '$.unmet'), ''), coalesce(json_extract(extra, '$.cancelled'), '')`

func scanStep(row scanner) (record.StepRecord, error) {
	var r record.StepRecord
	var begun int64
	var document sql.NullString
	if err := row.Scan(&r.Run, &r.Name, &r.Index, &r.Kind, &r.Attempt, &begun, &document, &r.Unmet, &r.Cancelled); err != nil {
		return r, err
	}
	r.Begun = moment(begun)
	if !document.Valid {
		return r, nil
	}
	result, err := readResult(document.String)
	r.Result = &result
	return r, err
}

func readResult(document string) (r step.Result, err error) {
	if err := json.Unmarshal([]byte(document), &r); err != nil {
		return r, fault.New(fault.Corrupt, "read the result of a step").
			Hint("restore the records from a backup").Cause(err)
	}
	return r, nil
}
