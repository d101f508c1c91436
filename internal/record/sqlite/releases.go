package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/record"
	"github.com/slipway-cd/slipway/internal/release"
)

// concerns is the condition under which quarantine x is one of release r.
const concerns = `x.project = r.project AND (
	x.content <> '' AND x.content = r.content OR x.image <> '' AND x.image = r.image OR x.model <> '' AND x.model = r.model
	OR x.inputs <> '' AND x.inputs IN (SELECT o.inputs FROM origins o WHERE o.project = r.project AND o.release = r.id))`

// holds is the condition under which it keeps the release out.
const holds = "x.let_go_at IS NULL AND " + concerns

const selectReleases = `SELECT r.id, r.digest, r.canonical, r.created_at, r.run,
	(SELECT o.document FROM origins o WHERE o.project = r.project AND o.release = r.id ORDER BY o.id DESC LIMIT 1),
	q.image, q.model, q.environment, q.reason, q.since, q.run, coalesce(q.extra, '{}'), r.extra, r.seq
	FROM releases r LEFT JOIN quarantine q ON q.id = (SELECT min(x.id) FROM quarantine x WHERE ` + holds + `)`

// releases keeps release records.
type releases struct{ *database }

var _ port.ReleaseStore = releases{}

// Save implements port.ReleaseStore.
func (s releases) Save(ctx context.Context, r delivery.Release, o delivery.Origin) (delivery.ReleaseRecord, error) {
	return s.save(ctx, delivery.ReleaseRecord{Release: r, Origin: o}, r.Schema >= delivery.ReleaseForm)
}

// Import implements port.ReleaseStore.
func (s releases) Import(ctx context.Context, r delivery.ReleaseRecord) (out delivery.ReleaseRecord, err error) {
	_, _, id, err := release.Canonical(r.Release)
	if err != nil {
		return out, err
	}
	if id != r.ID {
		return out, fault.New(fault.Corrupt, "import release %s: its content is that of %s", r.ID, id)
	}
	if r.Release.Objects != "" && r.Release.Schema >= delivery.ReleaseForm && r.Release.Manifests != delivery.DigestOf([]byte(r.Release.Objects)) {
		return out, fault.New(fault.Corrupt, "import release %s: its objects are not those that its name stands for", r.ID)
	}
	return s.save(ctx, r.WithOrigin(), false)
}

// save keeps the release under its name, or merged under that of the first record
// with the same content.
func (s releases) save(ctx context.Context, given delivery.ReleaseRecord, merged bool) (out delivery.ReleaseRecord, err error) {
	r, o := given.Release, given.Origin
	canonical, digest, id, err := release.Canonical(r)
	if err != nil {
		return out, err
	}
	content, err := release.ContentDigest(r)
	if err != nil {
		return out, err
	}
	if o.CreatedAt.IsZero() {
		o.CreatedAt = s.clock()
	}
	err = s.change(ctx, fmt.Sprintf("save release %s", id), func(tx *sql.Tx) error {
		if merged {
			if id, err = s.sameContent(ctx, tx, content, id); err != nil {
				return err
			}
		}
		if !given.Unsigned {
			if err := s.replaceUnsigned(ctx, tx, id, r, digest, string(canonical), content); err != nil {
				return err
			}
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO releases (project, id, seq, digest, canonical, content, image, model, run, created_at, extra)
			VALUES (?1, ?2, (SELECT coalesce(max(seq), 0) + 1 FROM releases WHERE project = ?1), ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT DO NOTHING`,
			s.project, id, digest, string(canonical), content, r.Image.Digest, r.ModelDigest(), o.Run, nanos(s.clock()), extraOf(given.Unknown, given.Unsigned))
		if err != nil {
			return err
		}
		if out, err = s.find(ctx, tx, id); err != nil {
			return err
		}
		if r.Schema >= delivery.ReleaseForm && (out.Unsigned || !given.Unsigned) {
			if err := s.addOrigin(ctx, tx, id, r, o); err != nil {
				return err
			}
		}
		if out, err = s.find(ctx, tx, id); err != nil {
			return err
		}
		if known, err := release.ContentDigest(out.Release); err != nil || known != content {
			return errors.Join(err, fault.New(fault.Conflict, "save release %s: another release has the same short name (%s and %s)", id, out.Digest, digest))
		}
		return nil
	})
	return out, err
}

// replaceUnsigned puts what is trusted in the place of a record that an unsigned history
// has under the name: the content is the same, but not where its image and model lie, and
// what is known about its making.
func (s releases) replaceUnsigned(ctx context.Context, tx *sql.Tx, id delivery.ReleaseID, r delivery.Release, digest delivery.Digest, canonical string, content delivery.Digest) error {
	_, err := tx.ExecContext(ctx, `DELETE FROM origins WHERE project = ?1 AND release = ?2
		AND EXISTS (SELECT 1 FROM releases WHERE project = ?1 AND id = ?2 AND `+unsigned+`)`, s.project, id)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `UPDATE releases SET digest = ?, canonical = ?, content = ?, image = ?, model = ?, extra = `+trusted+
		" WHERE project = ? AND id = ? AND "+unsigned, digest, canonical, content, r.Image.Digest, r.ModelDigest(), s.project, id)
	return err
}

// sameContent returns the name of the first record with the content, or else the
// name that the release would get.
func (s releases) sameContent(ctx context.Context, tx *sql.Tx, content delivery.Digest, id delivery.ReleaseID) (delivery.ReleaseID, error) {
	err := tx.QueryRowContext(ctx, "SELECT id FROM releases WHERE project = ? AND content = ? AND NOT "+unsigned+" ORDER BY seq LIMIT 1", s.project, content).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return id, nil
	}
	return id, err
}

func (s releases) addOrigin(ctx context.Context, tx *sql.Tx, id delivery.ReleaseID, r delivery.Release, o delivery.Origin) error {
	inputs, err := release.InputsDigest(r, o.Inputs)
	if err != nil {
		return err
	}
	document, err := json.Marshal(o)
	if err != nil {
		return fmt.Errorf("encode the origin of release %s: %w", id, err)
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO origins (project, release, run, inputs, document) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
		s.project, id, o.Run, inputs, string(document))
	return err
}

// Get implements port.ReleaseStore.
func (s releases) Get(ctx context.Context, id delivery.ReleaseID) (delivery.ReleaseRecord, error) {
	r, err := s.find(ctx, s.read, id)
	return r, record.DatabaseError(fmt.Sprintf("look up release %s", id), s.path, err)
}

func (s releases) find(ctx context.Context, from asker, id delivery.ReleaseID) (delivery.ReleaseRecord, error) {
	var seq int64
	r, err := scanRelease(first(ctx, from, selectReleases+" WHERE r.project = ? AND r.id = ?", s.project, id), &seq)
	if errors.Is(err, sql.ErrNoRows) {
		return r, fault.New(fault.NotFound, "release %s not found", id).Hint("`slipway releases` lists them")
	}
	return r, err
}

// List implements port.ReleaseStore.
func (s releases) List(ctx context.Context, f port.ReleaseFilter, page port.Page) ([]delivery.ReleaseRecord, port.Cursor, error) {
	var where conditions
	where.add("r.project = ?", s.project)
	if f.Quarantined {
		where.add("q.id IS NOT NULL")
	}
	if page.After != "" {
		seq, _, err := parseCursor("releases", page.After)
		if err != nil {
			return nil, "", err
		}
		where.add("r.seq < ?", seq)
	}
	type entry struct {
		delivery.ReleaseRecord
		seq int64
	}
	read, err := list(ctx, s.read, func(row scanner) (e entry, err error) {
		e.ReleaseRecord, err = scanRelease(row, &e.seq)
		return e, err
	}, selectReleases+" WHERE "+where.String()+" ORDER BY r.seq DESC LIMIT ?", append(where.args, page.Size()+1)...)
	if err != nil {
		return nil, "", record.DatabaseError("list the releases", s.path, err)
	}
	entries, next := cut(page, read, func(e entry) port.Cursor { return cursorOf(e.seq, e.ID) })
	out := make([]delivery.ReleaseRecord, len(entries))
	for i, e := range entries {
		out[i] = e.ReleaseRecord
	}
	return out, next, nil
}

// scanRelease believes a record only if its content has its digest and name. It also
// reads the record's place in the list.
func scanRelease(row scanner, seq *int64) (delivery.ReleaseRecord, error) {
	var r delivery.ReleaseRecord
	var canonical, extra, heldExtra string
	var created int64
	var origin, image, model, env, reason, run sql.NullString
	var since sql.NullInt64
	err := row.Scan(&r.ID, &r.Digest, &canonical, &created, &r.Run, &origin, &image, &model, &env, &reason, &since, &run, &heldExtra, &extra, seq)
	if err != nil {
		return r, err
	}
	rel, digest, id, err := release.Parse([]byte(canonical))
	if digest != r.Digest && err == nil || id != r.ID {
		return r, fault.New(fault.Corrupt, "the record of release %s was changed: its content is %s", r.ID, digest).
			Hint("restore the records from a backup; don't deploy this release")
	}
	if err == nil && origin.Valid {
		err = json.Unmarshal([]byte(origin.String), &r.Origin)
	}
	if err == nil {
		err = readExtra(extra, (*delivery.ReleaseDocument)(&r))
	}
	if err != nil {
		return r, corruptRelease(r.ID, err)
	}
	r.Release, r.CreatedAt = rel, moment(created)
	if since.Valid {
		r.Quarantined = &delivery.Quarantine{
			Release: r.ID, Image: delivery.Digest(image.String), Model: delivery.Digest(model.String),
			Environment: delivery.Environment(env.String), Reason: reason.String,
			Since: moment(since.Int64), Run: delivery.RunID(run.String),
		}
		err = readExtra(heldExtra, r.Quarantined)
	}
	if err != nil {
		return r, corruptRelease(r.ID, err)
	}
	return r.WithOrigin(), nil
}

func corruptRelease(id delivery.ReleaseID, err error) error {
	return fault.New(fault.Corrupt, "read the record of release %s", id).
		Hint("restore the records from a backup").Cause(err)
}
