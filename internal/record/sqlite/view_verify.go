package sqlite

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/record"
	"github.com/slipway-cd/slipway/internal/record/statelog"
)

// VerifyLog applies a whole log anew in the folder dir, and compares each snapshot with
// what the entries before it have come to there. progress is called with the number of an
// entry now and then. An error means that it could not be done.
func VerifyLog(ctx context.Context, dir string, log *statelog.Log, progress func(entry int64)) (v record.LogVerification, err error) {
	s, err := Open(ctx, filepath.Join(dir, "verify.db"), "verify", nil)
	if err != nil {
		return v, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if err := s.db.attach(ctx, log, 0); err != nil {
		return v, err
	}
	numbers, err := log.Snapshots(ctx)
	if err != nil {
		return v, err
	}
	r := &replay{database: s.db, result: record.LogVerification{First: 1}, progress: progress, snapshots: map[int64]bool{}}
	for _, n := range numbers {
		r.snapshots[n] = true
	}
	_, err = log.Replay(ctx, func(base statelog.Snapshot) error { return r.begin(ctx, base) },
		func(e statelog.Entry, at statelog.Position) error { return r.add(ctx, located{e, at}) })
	if err == nil {
		err = r.flush(ctx)
	}
	if fault.Is(err, fault.Corrupt) {
		r.result.Problems, err = append(r.result.Problems, err), nil
	}
	return r.result, err
}

// replay is a verification in progress.
type replay struct {
	*database
	result    record.LogVerification
	progress  func(entry int64)
	snapshots map[int64]bool // that there are
	batch     []located      // read, and not applied
}

func (r *replay) begin(ctx context.Context, base statelog.Snapshot) error {
	r.result.First, r.result.Last = base.After.N+1, base.After.N
	r.result.Snapshots = append(r.result.Snapshots, base.After.N)
	tx, err := r.view.apply.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := r.view.fill(ctx, tx, base); err != nil {
		return errors.Join(err, undone(tx))
	}
	return tx.Commit()
}

func (r *replay) add(ctx context.Context, e located) error {
	r.batch = append(r.batch, e)
	if len(r.batch) < batchSize && !r.snapshots[e.N] {
		return nil
	}
	if err := r.flush(ctx); err != nil {
		return err
	}
	r.progress(e.N)
	if r.snapshots[e.N] {
		return r.compare(ctx, e.at)
	}
	return nil
}

func (r *replay) flush(ctx context.Context) error {
	if len(r.batch) == 0 {
		return nil
	}
	err := r.applyEntries(ctx, r.batch)
	if err == nil {
		r.result.Last = r.batch[len(r.batch)-1].N
	}
	r.batch = r.batch[:0]
	return err
}

// compare looks at the snapshot at the position. One that can't be used is a problem of
// its own, not of the log: others pass over it.
func (r *replay) compare(ctx context.Context, at statelog.Position) error {
	s, err := r.view.log.Snapshot(ctx, at.N)
	if err == nil {
		err = r.difference(ctx, at, s)
	}
	switch {
	case err == nil:
		r.result.Snapshots = append(r.result.Snapshots, at.N)
	case fault.Is(err, fault.Corrupt):
		r.result.Problems = append(r.result.Problems, err)
	default:
		return err
	}
	return nil
}

func (r *replay) difference(ctx context.Context, at statelog.Position, s statelog.Snapshot) error {
	hint := "delete the object below snap/: it only saves time"
	if s.After != at {
		return fault.New(fault.Corrupt, "the snapshot after entry %d is of another entry with this number", at.N).Hint("%s", hint)
	}
	have, err := r.view.allRows(ctx, r.readers)
	if err != nil {
		return err
	}
	rows, err := snapshotRows(ctx, s)
	if err != nil {
		return err
	}
	replayed, err := sortedLines(have)
	if err != nil {
		return err
	}
	stored, err := sortedLines(rows)
	if err != nil {
		return err
	}
	if slices.Equal(replayed, stored) {
		return nil
	}
	return fault.New(fault.Corrupt, "the snapshot after entry %d is not what the entries come to", at.N).
		Cause(firstDifference(replayed, stored)).Hint("%s", hint)
}

// sortedLines returns the rows as lines that can be compared. When a cached result was used last is
// known to the machine that used it only.
func sortedLines(rows []row) ([]string, error) {
	lines := make([]string, 0, len(rows))
	for _, r := range rows {
		if r.Table == "cache" {
			delete(r.Row, "used_at")
		}
		document, err := encodeRows([]row{r})
		if err != nil {
			return nil, err
		}
		lines = append(lines, string(document))
	}
	slices.Sort(lines)
	return lines, nil
}

func firstDifference(replayed, stored []string) error {
	i := 0
	for i < len(replayed) && i < len(stored) && replayed[i] == stored[i] {
		i++
	}
	line := ""
	if i < len(replayed) {
		line = replayed[i]
	}
	if i < len(stored) && (line == "" || stored[i] < line) {
		line = stored[i]
	}
	var rows []row
	if err := json.Unmarshal([]byte(line), &rows); err != nil || len(rows) != 1 {
		return fmt.Errorf("%d rows and %d", len(replayed), len(stored))
	}
	return fmt.Errorf("table %s differs (%d rows, and %d in the snapshot)", rows[0].Table, len(replayed), len(stored))
}
