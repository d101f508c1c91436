package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/record"
)

// Decide implements port.ModelRegistry.
func (s models) Decide(ctx context.Context, ref delivery.ModelRef, d delivery.ModelDecision) (out delivery.ModelVersion, err error) {
	if d.Status != delivery.Approved && d.Status != delivery.Rejected {
		return out, fault.New(fault.Invalid, "decide on model %s: invalid decision %q", ref, d.Status)
	}
	err = s.change(ctx, fmt.Sprintf("decide on model %s", ref), func(tx *sql.Tx) error {
		if out, err = s.find(ctx, tx, ref.Group, ref.Version); err != nil {
			return err
		}
		switch {
		case ref.Digest != "" && ref.Digest != out.Digest:
			return fault.New(fault.Conflict, "model %s has digest %s, not %s", ref, out.Digest.Short(), ref.Digest.Short())
		case d.Status == out.Status:
			return nil
		case d.Revises != "" && d.Revises != out.Status:
			return fault.New(fault.Conflict, "decide on model %s: it is %s by now", ref, out.Status).
				Hint("look at the decisions with `slipway models show %s`", ref)
		}
		d.Revises, d.At = out.Status, s.clock()
		if err := s.addDecision(ctx, tx, out.ModelRef, d); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, "UPDATE models SET extra = "+trusted+" WHERE project = ? AND grp = ? AND version = ? AND "+unsigned,
			s.project, ref.Group, ref.Version); err != nil {
			return err
		}
		out, err = s.find(ctx, tx, ref.Group, ref.Version)
		return err
	})
	return out, err
}

// importDecision adds the decision that another registry has on a model if it is
// later than the newest one here.
func (s models) importDecision(ctx context.Context, tx *sql.Tx, here, theirs delivery.ModelVersion) error {
	decided := theirs.Status == delivery.Approved || theirs.Status == delivery.Rejected
	if !decided || theirs.Status == here.Status || !here.DecidedAt.IsZero() && !theirs.DecidedAt.After(here.DecidedAt) {
		return nil
	}
	by := theirs.DecidedActor
	if by.IsZero() {
		by.Name = theirs.DecidedBy
	}
	return s.addDecision(ctx, tx, here.ModelRef, delivery.ModelDecision{
		Status: theirs.Status, Revises: here.Status, By: by, Why: theirs.Why, At: theirs.DecidedAt,
	})
}

func (s models) addDecision(ctx context.Context, tx *sql.Tx, ref delivery.ModelRef, d delivery.ModelDecision) error {
	actor, err := json.Marshal(d.By)
	if err != nil {
		return fmt.Errorf("write who decided on model %s: %w", ref, err)
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO model_decisions (project, grp, version, status, revises, actor, why, at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?)`, s.project, ref.Group, ref.Version, d.Status, d.Revises, string(actor), d.Why, nanos(d.At))
	return err
}

// Decisions implements port.ModelRegistry.
func (s models) Decisions(ctx context.Context, group string, version int) ([]delivery.ModelDecision, error) {
	if _, err := s.Get(ctx, group, version); err != nil {
		return nil, err
	}
	out, err := list(ctx, s.read, scanDecision, `SELECT status, revises, actor, why, at FROM model_decisions
		WHERE project = ? AND grp = ? AND version = ? ORDER BY id`, s.project, group, version)
	return out, record.DatabaseError(fmt.Sprintf("list the decisions on model %s:%d", group, version), s.path, err)
}

func scanDecision(row scanner) (delivery.ModelDecision, error) {
	var d delivery.ModelDecision
	var actor string
	var at int64
	if err := row.Scan(&d.Status, &d.Revises, &actor, &d.Why, &at); err != nil {
		return d, err
	}
	d.At = moment(at)
	if err := json.Unmarshal([]byte(actor), &d.By); err != nil {
		return d, fault.New(fault.Corrupt, "read who decided on a model").Hint("restore the records from a backup").Cause(err)
	}
	return d, nil
}
