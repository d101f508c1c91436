package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/record"
)

// modelColumns are those of a version and its newest decision, of modelsWithDecision.
const modelColumns = `m.grp, m.version, m.digest, m.metrics, m.lineage, m.created_at,
	coalesce(d.status, 'PendingManualApproval'), coalesce(d.actor, ''), coalesce(d.at, 0), coalesce(d.why, ''), m.extra`

const modelsWithDecision = `models m LEFT JOIN model_decisions d ON d.id = (SELECT max(id) FROM model_decisions
	WHERE project = m.project AND grp = m.grp AND version = m.version)`

// models is the embedded model registry.
type models struct{ *database }

var (
	_ port.ModelRegistry = models{}
	_ port.ModelImporter = models{}
)

// Register implements port.ModelRegistry.
func (s models) Register(ctx context.Context, group string, artifact delivery.Digest, metrics delivery.Metrics, lineage delivery.Lineage) (out delivery.ModelVersion, err error) {
	if group == "" || !artifact.Valid() {
		return out, fault.New(fault.Invalid, "register a model: group %q, artifact %q", group, artifact)
	}
	numbers, err := json.Marshal(metrics)
	if err != nil {
		return out, fault.New(fault.Invalid, "register a model in %s: its metrics are not JSON", group).Cause(err)
	}
	origin, err := json.Marshal(lineage)
	if err != nil {
		return out, fmt.Errorf("write the lineage of a model in %s: %w", group, err)
	}
	err = s.change(ctx, fmt.Sprintf("register a model in %s", group), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO models (project, grp, version, digest, metrics, lineage, created_at)
			SELECT ?1, ?2, coalesce(max(version), 0) + 1, ?3, ?4, ?5, ?6 FROM models WHERE project = ?1 AND grp = ?2
			ON CONFLICT (project, grp, digest) DO UPDATE SET metrics = excluded.metrics, lineage = excluded.lineage,
				created_at = excluded.created_at, extra = json_remove(models.extra, '$.unsigned') WHERE coalesce(json_extract(models.extra, '$.unsigned'), 0)`,
			s.project, group, artifact, string(numbers), string(origin), nanos(s.clock()))
		if err != nil {
			return err
		}
		out, err = scanModel(tx.QueryRowContext(ctx, "SELECT "+modelColumns+" FROM "+modelsWithDecision+
			" WHERE m.project = ? AND m.grp = ? AND m.digest = ?", s.project, group, artifact))
		return err
	})
	return out, err
}

// Import implements port.ModelRegistry.
func (s models) Import(ctx context.Context, m delivery.ModelVersion) error {
	if m.Group == "" || m.Version < 1 || !m.Digest.Valid() {
		return fault.New(fault.Invalid, "import model %s: invalid artifact digest %q", m.ModelRef, m.Digest)
	}
	numbers, err := json.Marshal(m.Metrics)
	if err != nil {
		return fault.New(fault.Invalid, "adopt model %s: its metrics are not JSON", m.ModelRef).Cause(err)
	}
	origin, err := json.Marshal(m.Lineage)
	if err != nil {
		return fmt.Errorf("write the lineage of model %s: %w", m.ModelRef, err)
	}
	return s.change(ctx, fmt.Sprintf("adopt model %s", m.ModelRef), func(tx *sql.Tx) error {
		if err := s.dropUnsigned(ctx, tx, m); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO models (project, grp, version, digest, metrics, lineage, created_at, extra)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
			s.project, m.Group, m.Version, m.Digest, string(numbers), string(origin), nanos(m.CreatedAt), extraOf(m.Unknown, m.Unsigned))
		if err != nil {
			return err
		}
		here, err := s.find(ctx, tx, m.Group, m.Version)
		switch {
		case err != nil && !fault.Is(err, fault.NotFound):
			return err
		case err == nil && here.Digest == m.Digest && m.Unsigned:
			return nil // what was decided there counts for nothing
		case err == nil && here.Digest == m.Digest:
			return s.importDecision(ctx, tx, here, m)
		}
		return fault.New(fault.Conflict, "adopt model %s: two registries have given that number, or its content another one", m.ModelRef).
			Hint("register the models of %s on one machine only", m.Group)
	})
}

// dropUnsigned removes what an unsigned history has given the number or the content of a
// version that is trusted. It has no decision: one makes it trusted.
func (s models) dropUnsigned(ctx context.Context, tx *sql.Tx, m delivery.ModelVersion) error {
	if m.Unsigned {
		return nil
	}
	_, err := tx.ExecContext(ctx, `DELETE FROM models WHERE project = ? AND grp = ? AND (version = ? OR digest = ?) AND `+unsigned,
		s.project, m.Group, m.Version, m.Digest)
	return err
}

// Get implements port.ModelRegistry.
func (s models) Get(ctx context.Context, group string, version int) (delivery.ModelVersion, error) {
	m, err := s.find(ctx, s.read, group, version)
	return m, record.DatabaseError(fmt.Sprintf("look up model %s:%d", group, version), s.path, err)
}

func (s models) find(ctx context.Context, from asker, group string, version int) (delivery.ModelVersion, error) {
	m, err := scanModel(first(ctx, from, "SELECT "+modelColumns+" FROM "+modelsWithDecision+
		" WHERE m.project = ? AND m.grp = ? AND m.version = ?", s.project, group, version))
	if errors.Is(err, sql.ErrNoRows) {
		return m, fault.New(fault.NotFound, "model %s:%d not found", group, version).Hint("`slipway models` lists them")
	}
	return m, err
}

// List implements port.ModelRegistry.
func (s models) List(ctx context.Context, f port.ModelFilter, page port.Page) ([]delivery.ModelVersion, port.Cursor, error) {
	var where conditions
	where.add("m.project = ?", s.project)
	where.equal("m.grp", f.Group)
	where.equal("coalesce(d.status, 'PendingManualApproval')", string(f.Status))
	if page.After != "" {
		at, ref, err := parseModelCursor(page.After)
		if err != nil {
			return nil, "", err
		}
		where.add("(m.created_at, m.version, m.grp) < (?, ?, ?)", at, ref.Version, ref.Group)
	}
	read, err := list(ctx, s.read, scanModel, "SELECT "+modelColumns+" FROM "+modelsWithDecision+" WHERE "+where.String()+
		" ORDER BY m.created_at DESC, m.version DESC, m.grp DESC LIMIT ?", append(where.args, page.Size()+1)...)
	if err != nil {
		return nil, "", record.DatabaseError("list the models", s.path, err)
	}
	out, next := cut(page, read, func(m delivery.ModelVersion) port.Cursor {
		return cursorOf(nanos(m.CreatedAt), fmt.Sprintf("%d/%s", m.Version, m.Group))
	})
	return out, next, nil
}

// parseModelCursor returns the model version that a page comes after.
func parseModelCursor(c port.Cursor) (at int64, ref delivery.ModelRef, err error) {
	at, name, err := parseCursor("models", c)
	if err != nil {
		return 0, ref, err
	}
	number, group, ok := strings.Cut(name, "/")
	ref.Group = group
	if ref.Version, err = strconv.Atoi(number); err != nil || !ok {
		return 0, ref, invalidCursor("models", c)
	}
	return at, ref, nil
}

func scanModel(row scanner) (delivery.ModelVersion, error) {
	var m delivery.ModelVersion
	var metrics, lineage, actor, extra string
	var created, decided int64
	err := row.Scan(&m.Group, &m.Version, &m.Digest, &metrics, &lineage, &created, &m.Status, &actor, &decided, &m.Why, &extra)
	if err != nil {
		return m, err
	}
	m.CreatedAt, m.DecidedAt = moment(created), moment(decided)
	err = errors.Join(json.Unmarshal([]byte(metrics), &m.Metrics), json.Unmarshal([]byte(lineage), &m.Lineage))
	if actor != "" {
		err = errors.Join(err, json.Unmarshal([]byte(actor), &m.DecidedActor))
	}
	err = errors.Join(err, readExtra(extra, (*delivery.ModelDocument)(&m)))
	if err != nil {
		return m, fault.New(fault.Corrupt, "read the record of model %s", m.ModelRef).
			Hint("restore the records from a backup").Cause(err)
	}
	m.DecidedBy = m.DecidedActor.String()
	return m, nil
}
