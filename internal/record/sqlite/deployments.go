package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/record"
)

const deploymentColumns = "id, environment, release, run, state, let_in_by, actor, replaced, reason, sha, config, inputs, started_at, serving_at, ended_at, extra"

// deployments keeps the history of the environments.
type deployments struct{ *database }

var _ port.DeploymentStore = deployments{}

// Begin implements port.DeploymentStore. Without a Replaced it is what serves now.
func (s deployments) Begin(ctx context.Context, d delivery.Deployment) (out delivery.Deployment, err error) {
	if d.StartedAt.IsZero() {
		d.StartedAt = s.clock()
	}
	config, inputs, err := encodeConfig(d)
	if err != nil {
		return out, err
	}
	err = s.change(ctx, fmt.Sprintf("begin the deployment of %s in %s", d.Release, d.Environment), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO deployments
			(project, environment, release, run, state, let_in_by, replaced, reason, sha, config, inputs, started_at, serving_at, ended_at, actor, extra)
			VALUES (?1, ?2, ?3, ?4, ?5, ?6,
				coalesce(nullif(?7, ''), (SELECT release FROM deployments WHERE project = ?1 AND environment = ?2 AND state = ?8), ''),
				?9, ?10, ?11, ?12, ?13, 0, 0, ?14, ?15)
			ON CONFLICT (project, run, release, environment) DO UPDATE SET let_in_by = excluded.let_in_by, actor = excluded.actor,
				reason = excluded.reason, sha = excluded.sha, config = excluded.config, inputs = excluded.inputs, extra = excluded.extra
				WHERE coalesce(json_extract(deployments.extra, '$.unsigned'), 0) AND NOT coalesce(json_extract(excluded.extra, '$.unsigned'), 0)`,
			s.project, s.machine.stored(d.Environment), d.Release, d.Run, delivery.Deploying, d.By, d.Replaced, delivery.Serving, d.Reason,
			d.Commit, config, inputs, nanos(d.StartedAt), actorJSON(d.Actor), extraOf(d.Unknown, d.Unsigned))
		if err != nil {
			return err
		}
		out, err = scanDeployment(tx.QueryRowContext(ctx, "SELECT "+deploymentColumns+` FROM deployments
			WHERE project = ? AND run = ? AND release = ? AND environment = ?`, s.project, d.Run, d.Release, s.machine.stored(d.Environment)))
		return err
	})
	return out, err
}

// encodeConfig returns the documents of a deployment; no configuration is "".
func encodeConfig(d delivery.Deployment) (config, inputs string, err error) {
	if d.Config != nil {
		raw, err := json.Marshal(d.Config)
		if err != nil {
			return "", "", fmt.Errorf("encode the configuration of %s: %w", d.Release, err)
		}
		config = string(raw)
	}
	raw, err := json.Marshal(d.Inputs)
	if err != nil {
		return "", "", fmt.Errorf("encode the inputs of %s: %w", d.Release, err)
	}
	return config, string(raw), nil
}

// Accept implements port.DeploymentStore. One that was accepted and replaced since
// stays replaced.
func (s deployments) Accept(ctx context.Context, id int64, at time.Time) error {
	return s.change(ctx, fmt.Sprintf("accept deployment %d", id), func(tx *sql.Tx) error {
		d, err := s.find(ctx, tx, id)
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
		_, err = tx.ExecContext(ctx, "UPDATE deployments SET state = ?, ended_at = ?, reason = ? WHERE project = ? AND environment = ? AND state = ?",
			delivery.Replaced, nanos(at), fmt.Sprintf("replaced by %s", d.Release), s.project, s.machine.stored(d.Environment), delivery.Serving)
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
	case delivery.RolledBack, delivery.Cancelled, delivery.Stuck, delivery.Held, delivery.Removed:
	default:
		return fault.New(fault.Invalid, "end deployment %d: invalid final state %q", id, state)
	}
	return s.change(ctx, fmt.Sprintf("end deployment %d", id), func(tx *sql.Tx) error {
		done, err := tx.ExecContext(ctx, s.machine.restrict("UPDATE deployments SET state = ?, reason = ?, ended_at = ? WHERE project = ? AND id = ? AND state IN (?, ?)"),
			state, reason, nanos(at), s.project, id, delivery.Deploying, delivery.Serving)
		if err != nil {
			return err
		}
		return unlessChanged(done, func() error { _, err := s.find(ctx, tx, id); return err })
	})
}

// Current implements port.DeploymentStore.
func (s deployments) Current(ctx context.Context, env delivery.Environment) (delivery.Deployment, bool, error) {
	d, err := scanDeployment(first(ctx, s.read, "SELECT "+deploymentColumns+" FROM deployments WHERE project = ? AND environment = ? AND state = 'serving'", s.project, s.machine.stored(env)))
	if errors.Is(err, sql.ErrNoRows) {
		return delivery.Deployment{}, false, nil
	}
	return d, err == nil, record.DatabaseError(fmt.Sprintf("look up the current deployment of %s", env), s.path, err)
}

// List implements port.DeploymentStore.
func (s deployments) List(ctx context.Context, f port.DeploymentFilter, page port.Page) ([]delivery.Deployment, port.Cursor, error) {
	var where conditions
	where.add("project = ?", s.project)
	where.equal("environment", s.machine.stored(f.Environment))
	where.add(s.machine.visible())
	where.equal("run", string(f.Run))
	where.equal("release", string(f.Release))
	if page.After != "" {
		at, id, err := parseDeploymentCursor(page.After)
		if err != nil {
			return nil, "", err
		}
		if f.Accepted {
			where.add("(serving_at, id) < (?, ?)", at, id)
		} else {
			where.add("id < ?", id)
		}
	}
	order := "id DESC"
	if f.Accepted {
		where.add("serving_at <> 0")
		order = "serving_at DESC, id DESC"
	}
	read, err := list(ctx, s.read, scanDeployment, "SELECT "+deploymentColumns+" FROM deployments WHERE "+where.String()+
		" ORDER BY "+order+" LIMIT ?", append(where.args, page.Size()+1)...)
	if err != nil {
		return nil, "", record.DatabaseError("list the deployments", s.path, err)
	}
	out, next := cut(page, read, func(d delivery.Deployment) port.Cursor { return cursorOf(nanos(d.ServingAt), d.ID) })
	return out, next, nil
}

// parseDeploymentCursor returns when the deployment that a page comes after was
// accepted, and its ID.
func parseDeploymentCursor(c port.Cursor) (at, id int64, err error) {
	at, name, err := parseCursor("deployments", c)
	if err != nil {
		return 0, 0, err
	}
	if id, err = strconv.ParseInt(name, 10, 64); err != nil {
		return 0, 0, invalidCursor("deployments", c)
	}
	return at, id, nil
}

func (s deployments) find(ctx context.Context, from asker, id int64) (delivery.Deployment, error) {
	d, err := scanDeployment(first(ctx, from, "SELECT "+deploymentColumns+" FROM deployments WHERE project = ? AND id = ? AND "+s.machine.visible(), s.project, id))
	if errors.Is(err, sql.ErrNoRows) {
		return d, fault.New(fault.NotFound, "deployment %d not found", id)
	}
	return d, err
}

func scanDeployment(row scanner) (delivery.Deployment, error) {
	var d delivery.Deployment
	var started, serving, ended int64
	var config, inputs, extra string
	err := row.Scan(&d.ID, environmentColumn{&d.Environment}, &d.Release, &d.Run, &d.State, &d.By, actorColumn{&d.Actor}, &d.Replaced, &d.Reason,
		&d.Commit, &config, &inputs, &started, &serving, &ended, &extra)
	if err != nil {
		return d, err
	}
	d.StartedAt, d.ServingAt, d.EndedAt = moment(started), moment(serving), moment(ended)
	err = json.Unmarshal([]byte(inputs), &d.Inputs)
	if err == nil && config != "" {
		err = json.Unmarshal([]byte(config), &d.Config)
	}
	if err == nil {
		err = readExtra(extra, &d)
	}
	if err != nil {
		return d, fault.New(fault.Corrupt, "read the record of deployment %d", d.ID).
			Hint("restore the records from a backup").Cause(err)
	}
	return d, nil
}
