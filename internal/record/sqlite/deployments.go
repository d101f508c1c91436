package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/record"
)

const deploymentColumns = "id, environment, release, run, state, let_in_by, replaced, reason, started_at, serving_at, ended_at"

// deployments keeps the history of the environments.
type deployments struct{ *database }

var _ port.DeploymentStore = deployments{}

// Begin implements port.DeploymentStore. Without a Replaced it is what serves now.
func (s deployments) Begin(ctx context.Context, d delivery.Deployment) (out delivery.Deployment, err error) {
	if d.StartedAt.IsZero() {
		d.StartedAt = s.clock()
	}
	err = s.change(ctx, fmt.Sprintf("begin the deployment of %s in %s", d.Release, d.Environment), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO deployments (environment, release, run, state, let_in_by, replaced, reason, started_at, serving_at, ended_at)
			VALUES (?1, ?2, ?3, ?4, ?5, coalesce(nullif(?6, ''), (SELECT release FROM deployments WHERE environment = ?1 AND state = ?7), ''), ?8, ?9, 0, 0)
			ON CONFLICT (run, release, environment) DO NOTHING`,
			d.Environment, d.Release, d.Run, delivery.Deploying, d.By, d.Replaced, delivery.Serving, d.Reason, nanos(d.StartedAt))
		if err != nil {
			return err
		}
		out, err = scanDeployment(tx.QueryRowContext(ctx, "SELECT "+deploymentColumns+` FROM deployments
			WHERE run = ? AND release = ? AND environment = ?`, d.Run, d.Release, d.Environment))
		return err
	})
	return out, err
}

// Accept implements port.DeploymentStore. One that was accepted and replaced since
// stays replaced.
func (s deployments) Accept(ctx context.Context, id int64, at time.Time) error {
	return s.change(ctx, fmt.Sprintf("accept deployment %d", id), func(tx *sql.Tx) error {
		d, err := findDeployment(ctx, tx, id)
		if err != nil {
			return err
		}
		switch d.State {
		case delivery.Serving, delivery.Replaced:
			return nil
		case delivery.Deploying:
		default:
			return fault.New(fault.Conflict, "accept deployment %d of %s in %s: it is %s", id, d.Release, d.Environment, d.State)
		}
		_, err = tx.ExecContext(ctx, "UPDATE deployments SET state = ?, ended_at = ?, reason = ? WHERE environment = ? AND state = ?",
			delivery.Replaced, nanos(at), fmt.Sprintf("replaced by %s", d.Release), d.Environment, delivery.Serving)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, "UPDATE deployments SET state = ?, serving_at = ? WHERE id = ?", delivery.Serving, nanos(at), id)
		return err
	})
}

// End implements port.DeploymentStore. A replaced one has left already.
func (s deployments) End(ctx context.Context, id int64, state delivery.DeploymentState, reason string, at time.Time) error {
	switch state {
	case delivery.RolledBack, delivery.Cancelled, delivery.Stuck, delivery.Removed:
	default:
		return fault.New(fault.Invalid, "end deployment %d: invalid final state %q", id, state)
	}
	return s.change(ctx, fmt.Sprintf("end deployment %d", id), func(tx *sql.Tx) error {
		done, err := tx.ExecContext(ctx, "UPDATE deployments SET state = ?, reason = ?, ended_at = ? WHERE id = ? AND state IN (?, ?)",
			state, reason, nanos(at), id, delivery.Deploying, delivery.Serving)
		if err != nil {
			return err
		}
		return unlessChanged(done, func() error { _, err := findDeployment(ctx, tx, id); return err })
	})
}

// Current implements port.DeploymentStore.
func (s deployments) Current(ctx context.Context, env delivery.Environment) (delivery.Deployment, bool, error) {
	d, err := scanDeployment(s.read.QueryRowContext(ctx, "SELECT "+deploymentColumns+" FROM deployments WHERE environment = ? AND state = 'serving'", env))
	if errors.Is(err, sql.ErrNoRows) {
		return delivery.Deployment{}, false, nil
	}
	return d, err == nil, record.DatabaseError(fmt.Sprintf("look up the current deployment of %s", env), s.path, err)
}

// List implements port.DeploymentStore.
func (s deployments) List(ctx context.Context, env delivery.Environment, n int) ([]delivery.Deployment, error) {
	out, err := list(ctx, s.read, scanDeployment, "SELECT "+deploymentColumns+` FROM deployments WHERE ?1 = '' OR environment = ?1
		ORDER BY id DESC LIMIT ?2`, env, limit(n))
	return out, record.DatabaseError("list the deployments", s.path, err)
}

func findDeployment(ctx context.Context, from asker, id int64) (delivery.Deployment, error) {
	d, err := scanDeployment(from.QueryRowContext(ctx, "SELECT "+deploymentColumns+" FROM deployments WHERE id = ?", id))
	if errors.Is(err, sql.ErrNoRows) {
		return d, fault.New(fault.NotFound, "deployment %d not found", id)
	}
	return d, err
}

func scanDeployment(row scanner) (delivery.Deployment, error) {
	var d delivery.Deployment
	var started, serving, ended int64
	err := row.Scan(&d.ID, &d.Environment, &d.Release, &d.Run, &d.State, &d.By, &d.Replaced, &d.Reason, &started, &serving, &ended)
	d.StartedAt, d.ServingAt, d.EndedAt = moment(started), moment(serving), moment(ended)
	return d, err
}
