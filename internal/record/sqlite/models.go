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
)

const modelColumns = "grp, version, digest, status, metrics, lineage, created_at, decided_by, decided_at, why"

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
		_, err := tx.ExecContext(ctx, `INSERT INTO models (`+modelColumns+`)
			SELECT ?1, coalesce(max(version), 0) + 1, ?2, ?3, ?4, ?5, ?6, '', 0, '' FROM models WHERE grp = ?1
			ON CONFLICT (grp, digest) DO NOTHING`,
			group, artifact, delivery.PendingApproval, string(numbers), string(origin), nanos(s.clock()))
		if err != nil {
			return err
		}
		out, err = scanModel(tx.QueryRowContext(ctx, "SELECT "+modelColumns+" FROM models WHERE grp = ? AND digest = ?", group, artifact))
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
		_, err := tx.ExecContext(ctx, `INSERT INTO models (`+modelColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
			m.Group, m.Version, m.Digest, m.Status, string(numbers), string(origin), nanos(m.CreatedAt), m.DecidedBy, nanos(m.DecidedAt), m.Why)
		if err != nil {
			return err
		}
		here, err := findModel(ctx, tx, m.Group, m.Version)
		if err == nil && here.Digest == m.Digest {
			return nil
		}
		if err != nil && !fault.Is(err, fault.NotFound) {
			return err
		}
		return fault.New(fault.Conflict, "adopt model %s: two registries have given that number, or its content another one", m.ModelRef).
			Hint("register the models of %s on one machine only", m.Group)
	})
}

// Decide implements port.ModelRegistry.
func (s models) Decide(ctx context.Context, ref delivery.ModelRef, status delivery.ModelStatus, by, why string) (out delivery.ModelVersion, err error) {
	if status != delivery.Approved && status != delivery.Rejected {
		return out, fault.New(fault.Invalid, "decide on model %s: invalid decision %q", ref, status)
	}
	err = s.change(ctx, fmt.Sprintf("decide on model %s", ref), func(tx *sql.Tx) error {
		if out, err = findModel(ctx, tx, ref.Group, ref.Version); err != nil {
			return err
		}
		if ref.Digest != "" && ref.Digest != out.Digest {
			return fault.New(fault.Conflict, "model %s holds %s, not %s", ref, out.Digest.Short(), ref.Digest.Short())
		}
		switch out.Status {
		case status:
			return nil
		case delivery.PendingApproval:
		default:
			return fault.New(fault.Conflict, "model %s was %s by %s", ref, lower(out.Status), out.DecidedBy).
				Hint("register a new version; a decision is final")
		}
		_, err := tx.ExecContext(ctx, "UPDATE models SET status = ?, decided_by = ?, decided_at = ?, why = ? WHERE grp = ? AND version = ?",
			status, by, nanos(s.clock()), why, ref.Group, ref.Version)
		if err != nil {
			return err
		}
		out, err = findModel(ctx, tx, ref.Group, ref.Version)
		return err
	})
	return out, err
}

func lower(s delivery.ModelStatus) string {
	if s == delivery.Approved {
		return "approved"
	}
	return "rejected"
}

// Get implements port.ModelRegistry.
func (s models) Get(ctx context.Context, group string, version int) (delivery.ModelVersion, error) {
	m, err := findModel(ctx, s.read, group, version)
	return m, record.DatabaseError(fmt.Sprintf("look up model %s:%d", group, version), s.path, err)
}

func findModel(ctx context.Context, from asker, group string, version int) (delivery.ModelVersion, error) {
	m, err := scanModel(from.QueryRowContext(ctx, "SELECT "+modelColumns+" FROM models WHERE grp = ? AND version = ?", group, version))
	if errors.Is(err, sql.ErrNoRows) {
		return m, fault.New(fault.NotFound, "model %s:%d not found", group, version).Hint("`slipway models` lists them")
	}
	return m, err
}

// List implements port.ModelRegistry.
func (s models) List(ctx context.Context, group string) ([]delivery.ModelVersion, error) {
	out, err := list(ctx, s.read, scanModel, "SELECT "+modelColumns+` FROM models WHERE ?1 = '' OR grp = ?1
		ORDER BY created_at DESC, version DESC`, group)
	return out, record.DatabaseError("list the models", s.path, err)
}

func scanModel(row scanner) (delivery.ModelVersion, error) {
	var m delivery.ModelVersion
	var metrics, lineage string
	var created, decided int64
	err := row.Scan(&m.Group, &m.Version, &m.Digest, &m.Status, &metrics, &lineage, &created, &m.DecidedBy, &decided, &m.Why)
	if err != nil {
		return m, err
	}
	m.CreatedAt, m.DecidedAt = moment(created), moment(decided)
	err = errors.Join(json.Unmarshal([]byte(metrics), &m.Metrics), json.Unmarshal([]byte(lineage), &m.Lineage))
	if err != nil {
		return m, fault.New(fault.Corrupt, "read the record of model %s", m.ModelRef).
			Hint("restore the records from a backup").Cause(err)
	}
	return m, nil
}
