package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/record"
	"github.com/slipway-cd/slipway/internal/release"
)

// configured marks the content and the inputs of a quarantine that holds a release
// only with one configuration, so that it never equals those of a release.
const configured = "configured:"

// Quarantine implements port.ReleaseStore.
func (s releases) Quarantine(ctx context.Context, q delivery.Quarantine) error {
	if q.Since.IsZero() {
		q.Since = s.clock()
	}
	return s.change(ctx, "quarantine "+q.Subject(), func(tx *sql.Tx) error {
		var content, inputs string
		if q.Image == "" && q.Model == "" {
			r, err := s.find(ctx, tx, q.Release.Base())
			if err == nil {
				content, inputs, err = contentOf(r, q)
			}
			if err != nil {
				return err
			}
		}
		instance := sql.NullString{String: string(q.Release), Valid: q.Config != nil}
		_, err := tx.ExecContext(ctx, `INSERT INTO quarantine (project, content, inputs, image, model, environment, reason, since, run, extra)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, json_patch(?, json_object('instance', ?))) ON CONFLICT DO NOTHING`,
			s.project, content, inputs, q.Image, q.Model, q.Environment, q.Reason, nanos(q.Since), q.Run, q.Unknown.Object(), instance)
		return err
	})
}

// contentOf is what the quarantine of a release holds.
func contentOf(r delivery.ReleaseRecord, q delivery.Quarantine) (content, inputs string, err error) {
	in, mark := r.Origin.Inputs, ""
	if q.Config != nil {
		in, mark = q.Inputs, configured
	}
	c, err := release.ContentDigest(r.Release.WithConfiguration(q.Config))
	if err != nil {
		return "", "", err
	}
	i, err := release.InputsDigest(r.Release, in)
	if i != "" {
		inputs = mark + string(i)
	}
	return mark + string(c), inputs, err
}

// FindQuarantine implements port.ReleaseStore.
func (s releases) FindQuarantine(ctx context.Context, r delivery.Release, in delivery.Inputs) (*delivery.Quarantine, error) {
	_, _, id, err := release.Canonical(r)
	if err != nil {
		return nil, err
	}
	content, err := release.ContentDigest(r)
	if err != nil {
		return nil, err
	}
	inputs, err := release.InputsDigest(r, in)
	if err != nil {
		return nil, err
	}
	var q delivery.Quarantine
	var since int64
	err = first(ctx, s.read, `SELECT coalesce(json_extract(extra, '$.instance'), ?2), image, model, environment, reason, since, run
		FROM quarantine WHERE project = ?1 AND let_go_at IS NULL AND (content IN (?3, ?4) OR image = ?5 AND image <> '' OR model = ?6 AND model <> ''
		OR inputs <> '' AND inputs IN (?7, ?8)) ORDER BY id LIMIT 1`,
		s.project, id, content, configured+content, r.Image.Digest, r.ModelDigest(), inputs, configured+inputs).
		Scan(&q.Release, &q.Image, &q.Model, &q.Environment, &q.Reason, &since, &q.Run)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil //nolint:nilnil // nothing keeps it out
	}
	q.Since = moment(since)
	return &q, record.DatabaseError(fmt.Sprintf("look for a quarantine of release %s", id), s.path, err)
}

// Unquarantine implements port.ReleaseStore.
func (s releases) Unquarantine(ctx context.Context, id delivery.ReleaseID, by delivery.Actor, why string) error {
	return s.change(ctx, fmt.Sprintf("unquarantine release %s", id), func(tx *sql.Tx) error {
		if _, err := s.find(ctx, tx, id.Base()); err != nil {
			return err
		}
		done, err := tx.ExecContext(ctx, `UPDATE quarantine SET let_go_by = ?1, let_go_why = ?2, let_go_at = ?3
			WHERE id IN (SELECT x.id FROM quarantine x, releases r WHERE r.project = ?4 AND r.id = ?5 AND `+holds+`)
			OR project = ?4 AND let_go_at IS NULL AND (json_extract(extra, '$.instance') = ?5 OR json_extract(extra, '$.instance') GLOB ?5 || '-*')`,
			actorJSON(by), why, nanos(s.clock()), s.project, id)
		if err != nil {
			return err
		}
		return unlessChanged(done, func() error {
			return fault.New(fault.Conflict, "release %s is not quarantined", id)
		})
	})
}

// Quarantines implements port.ReleaseStore.
func (s releases) Quarantines(ctx context.Context, id delivery.ReleaseID) ([]delivery.Quarantine, error) {
	if _, err := s.Get(ctx, id); err != nil {
		return nil, err
	}
	out, err := list(ctx, s.read, scanQuarantine, `SELECT coalesce(json_extract(x.extra, '$.instance'), r.id), x.image, x.model, x.environment, x.reason, x.since, x.run,
		coalesce(x.let_go_by, ''), coalesce(x.let_go_why, ''), coalesce(x.let_go_at, 0), json_remove(x.extra, '$.instance')
		FROM quarantine x, releases r WHERE r.project = ? AND r.id = ? AND x.project = r.project AND (`+concerns+` OR json_extract(x.extra, '$.instance') GLOB r.id || '-*')
		ORDER BY x.id`, s.project, id)
	return out, record.DatabaseError(fmt.Sprintf("list the quarantines of release %s", id), s.path, err)
}

func scanQuarantine(row scanner) (q delivery.Quarantine, err error) {
	var since, ended int64
	var extra string
	err = row.Scan(&q.Release, &q.Image, &q.Model, &q.Environment, &q.Reason, &since, &q.Run, actorColumn{&q.EndedBy}, &q.EndedWhy, &ended, &extra)
	if err != nil {
		return q, err
	}
	q.Since, q.EndedAt = moment(since), moment(ended)
	if err := readExtra(extra, &q); err != nil {
		return q, corruptRelease(q.Release, err)
	}
	return q, nil
}
