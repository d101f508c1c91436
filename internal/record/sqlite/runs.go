package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/plan"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/record"
)

const summaryColumns = `id, environment, seq, turn, state, outcome, cause, hint, release, started_by, pid, host, cancel,
	plan_digest, commit_sha, created_at, started_at, ended_at`

const open = "state IN ('queued', 'running')"

// scanSummary reads the summaryColumns, and what follows them.
func scanSummary(row scanner, more ...any) (record.RunSummary, error) {
	var r record.RunSummary
	var created, started, ended int64
	err := row.Scan(append([]any{
		&r.ID, environmentColumn{&r.Environment}, &r.Seq, &r.Turn, &r.State, &r.Outcome, &r.Cause, &r.Hint, &r.Release,
		actorColumn{&r.By}, &r.PID, &r.Host, actorColumn{&r.CancelledBy}, &r.PlanDigest, &r.Commit, &created, &started, &ended,
	}, more...)...)
	r.CreatedAt, r.StartedAt, r.EndedAt = moment(created), moment(started), moment(ended)
	return r, err
}

func scanRun(row scanner) (r record.Run, err error) {
	var document string
	if r.RunSummary, err = scanSummary(row, &document); err != nil {
		return r, err
	}
	r.Plan, err = readPlan(r.ID, document)
	return r, err
}

// readPlan refuses what a newer version wrote before it reads the rest.
func readPlan(id delivery.RunID, document string) (p plan.Plan, err error) {
	var v struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal([]byte(document), &v); err != nil {
		return p, fault.New(fault.Corrupt, "read the plan of run %s", id).
			Hint("restore the records from a backup").Cause(err)
	}
	if v.Version > plan.Version {
		return p, fault.New(fault.Conflict, "run %s has a plan of a newer Slipway (version %d, this one knows %d)", id, v.Version, plan.Version).
			Hint("update slipway on this machine")
	}
	if err := json.Unmarshal([]byte(document), &p); err != nil {
		return p, fault.New(fault.Corrupt, "read the plan of run %s", id).
			Hint("restore the records from a backup").Cause(err)
	}
	return p, nil
}

func (s runs) find(ctx context.Context, from asker, id delivery.RunID) (record.Run, error) {
	r, err := scanRun(first(ctx, from, "SELECT "+summaryColumns+", plan FROM runs WHERE project = ? AND id = ? AND "+s.machine.visible(), s.project, id))
	if errors.Is(err, sql.ErrNoRows) {
		return r, s.explainMissing(ctx, from, id)
	}
	return r, err
}

// explainMissing returns why a run is not found: it may be of another machine.
func (s runs) explainMissing(ctx context.Context, from asker, id delivery.RunID) error {
	var env delivery.Environment
	var host string
	err := first(ctx, from, "SELECT environment, host FROM runs WHERE project = ? AND id = ?", s.project, id).Scan(environmentColumn{&env}, &host)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return fault.New(fault.NotFound, "run %s not found", id).Hint("`slipway status` lists the runs")
	case err != nil:
		return err
	}
	return fault.New(fault.Conflict, "run %s belongs to %s on another machine (%s)", id, env, host).
		Hint("each machine has a separate %s: run the command on %s", env, host)
}

// runs keeps runs, their queue and their steps.
type runs struct{ *database }

var (
	_ record.Runs        = runs{}
	_ record.StepBatcher = runs{}
)

// Enqueue implements record.Runs.
func (s runs) Enqueue(ctx context.Context, r record.Run) (out record.Run, err error) {
	if !r.ID.Valid() {
		return out, fault.New(fault.Invalid, "invalid run name %q", r.ID)
	}
	document, err := json.Marshal(r.Plan)
	if err != nil {
		return out, fmt.Errorf("write the plan of run %s: %w", r.ID, err)
	}
	if r.CreatedAt.IsZero() {
		r.CreatedAt = s.clock()
	}
	err = s.change(ctx, fmt.Sprintf("queue run %s", r.ID), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO runs (project, `+summaryColumns+`, plan)
			VALUES (?1, ?2, ?3, (SELECT coalesce(max(seq), 0) + 1 FROM runs WHERE project = ?1), 1, ?4, '', '', '', '', ?5, ?6, ?7, '', ?8, ?9, ?10, 0, 0, ?11)
			ON CONFLICT (project, id) DO NOTHING`,
			s.project, r.ID, s.machine.stored(r.Environment), record.Queued, actorJSON(r.By), r.PID, r.Host, delivery.DigestOf(document), r.Plan.Commit.SHA, nanos(r.CreatedAt), string(document))
		if err != nil {
			return err
		}
		out, err = s.find(ctx, tx, r.ID)
		return err
	})
	return out, err
}

// Requeue implements record.Runs.
func (s runs) Requeue(ctx context.Context, id delivery.RunID) (out record.Run, err error) {
	err = s.change(ctx, fmt.Sprintf("queue run %s again", id), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, s.machine.restrict(`UPDATE runs SET state = ?2, turn = turn + 1, outcome = '', cause = '', hint = '', ended_at = 0,
			seq = (SELECT max(seq) + 1 FROM runs WHERE project = ?1) WHERE project = ?1 AND id = ?3 AND state = ?4`),
			s.project, record.Queued, id, record.Waiting)
		if err != nil {
			return err
		}
		out, err = s.find(ctx, tx, id)
		return err
	})
	return out, err
}

// Retake implements record.Runs.
func (s runs) Retake(ctx context.Context, id delivery.RunID) (out record.Run, err error) {
	err = s.change(ctx, fmt.Sprintf("take over run %s", id), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, s.machine.restrict("UPDATE runs SET turn = turn + 1 WHERE project = ? AND id = ? AND state = ?"), s.project, id, record.Running)
		if err != nil {
			return err
		}
		out, err = s.find(ctx, tx, id)
		return err
	})
	return out, err
}

// Head implements record.Runs.
func (s runs) Head(ctx context.Context, env delivery.Environment) (record.Run, bool, error) {
	row := first(ctx, s.read, "SELECT "+summaryColumns+", plan FROM runs WHERE project = ? AND environment = ? AND "+open+" ORDER BY seq LIMIT 1", s.project, s.machine.stored(env))
	r, err := scanRun(row)
	if errors.Is(err, sql.ErrNoRows) {
		return record.Run{}, false, nil
	}
	return r, err == nil, record.DatabaseError(fmt.Sprintf("look at the queue of %s", env), s.path, err)
}

// Get implements record.Runs.
func (s runs) Get(ctx context.Context, id delivery.RunID) (record.Run, error) {
	r, err := s.find(ctx, s.read, id)
	return r, record.DatabaseError(fmt.Sprintf("look up run %s", id), s.path, err)
}

// List implements record.Runs.
func (s runs) List(ctx context.Context, env delivery.Environment, page port.Page) ([]record.RunSummary, port.Cursor, error) {
	var where conditions
	where.add("project = ?", s.project)
	where.equal("environment", s.machine.stored(env))
	where.add(s.machine.visible())
	if page.After != "" {
		at, id, err := parseCursor("runs", page.After)
		if err != nil {
			return nil, "", err
		}
		where.add("(created_at, id) < (?, ?)", at, id)
	}
	read, err := list(ctx, s.read, func(row scanner) (record.RunSummary, error) { return scanSummary(row) },
		"SELECT "+summaryColumns+" FROM runs WHERE "+where.String()+" ORDER BY created_at DESC, id DESC LIMIT ?", append(where.args, page.Size()+1)...)
	if err != nil {
		return nil, "", record.DatabaseError("list the runs", s.path, err)
	}
	out, next := cut(page, read, func(r record.RunSummary) port.Cursor { return cursorOf(nanos(r.CreatedAt), r.ID) })
	return out, next, nil
}

// Unfinished implements record.Runs.
func (s runs) Unfinished(ctx context.Context) ([]record.RunSummary, error) {
	out, err := list(ctx, s.read, func(row scanner) (record.RunSummary, error) { return scanSummary(row) },
		"SELECT "+summaryColumns+" FROM runs WHERE project = ? AND "+open+" AND "+s.machine.visible()+" ORDER BY seq", s.project)
	return out, record.DatabaseError("list the unfinished runs", s.path, err)
}

// Waiting implements record.Runs.
func (s runs) Waiting(ctx context.Context, env delivery.Environment) ([]record.RunSummary, error) {
	var where conditions
	where.add("project = ?", s.project)
	where.equal("environment", s.machine.stored(env))
	where.add(s.machine.visible())
	where.equal("state", string(record.Waiting))
	out, err := list(ctx, s.read, func(row scanner) (record.RunSummary, error) { return scanSummary(row) },
		"SELECT "+summaryColumns+" FROM runs WHERE "+where.String()+" ORDER BY created_at, seq", where.args...)
	return out, record.DatabaseError("list the waiting runs", s.path, err)
}

// Start implements record.Runs. The first start stays the run's start.
func (s runs) Start(ctx context.Context, id delivery.RunID, pid int, host string, at time.Time) error {
	return s.change(ctx, fmt.Sprintf("start run %s", id), func(tx *sql.Tx) error {
		done, err := tx.ExecContext(ctx, s.machine.restrict(`UPDATE runs SET state = ?, pid = ?, host = ?,
			started_at = CASE WHEN started_at = 0 THEN ? ELSE started_at END WHERE project = ? AND id = ? AND `+open),
			record.Running, pid, host, nanos(at), s.project, id)
		if err != nil {
			return err
		}
		return unlessChanged(done, func() error {
			r, err := s.find(ctx, tx, id)
			if err != nil {
				return err
			}
			return fault.New(fault.Conflict, "run %s is %s: it can't be started", id, r.State)
		})
	})
}

// Finish implements record.Runs.
func (s runs) Finish(ctx context.Context, id delivery.RunID, f record.RunResult) error {
	state := record.Ended
	if f.Outcome == delivery.OutcomeWaiting {
		state = record.Waiting
	}
	return s.change(ctx, fmt.Sprintf("finish run %s", id), func(tx *sql.Tx) error {
		done, err := tx.ExecContext(ctx, s.machine.restrict(`UPDATE runs SET state = ?, outcome = ?, cause = ?, hint = ?, release = ?, ended_at = ?
			WHERE project = ? AND id = ? AND state <> ?`), state, f.Outcome, f.Cause, f.Hint, f.Release, nanos(f.At), s.project, id, record.Ended)
		if err != nil {
			return err
		}
		return unlessChanged(done, func() error { _, err := s.find(ctx, tx, id); return err })
	})
}

// RequestCancel implements record.Runs. A run that has ended keeps no request.
func (s runs) RequestCancel(ctx context.Context, id delivery.RunID, by delivery.Actor) error {
	return s.change(ctx, fmt.Sprintf("request that run %s stops", id), func(tx *sql.Tx) error {
		done, err := tx.ExecContext(ctx, s.machine.restrict("UPDATE runs SET cancel = ? WHERE project = ? AND id = ? AND cancel = '' AND state <> ?"),
			actorJSON(by), s.project, id, record.Ended)
		if err != nil {
			return err
		}
		return unlessChanged(done, func() error { _, err := s.find(ctx, tx, id); return err })
	})
}

// unlessChanged asks why, when a statement changed nothing.
func unlessChanged(done sql.Result, why func() error) error {
	if n, err := done.RowsAffected(); err != nil || n > 0 {
		return err
	}
	return why()
}
