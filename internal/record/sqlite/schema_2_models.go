package sqlite

import (
	"context"
	"database/sql"

	"github.com/slipway-cd/slipway/internal/delivery"
)

// models2 leads models to version 2: they belong to a project, and each decision on a
// version is a row of its own. The newest one counts; a version without one is pending.
func models2() migration {
	return migration{statements: `
CREATE TABLE models_2 (
	project TEXT NOT NULL, grp TEXT NOT NULL, version INTEGER NOT NULL, digest TEXT NOT NULL,
	metrics TEXT NOT NULL, lineage TEXT NOT NULL, created_at INTEGER NOT NULL, extra TEXT NOT NULL DEFAULT '{}',
	PRIMARY KEY (project, grp, version), UNIQUE (project, grp, digest)
) STRICT;

CREATE TABLE model_decisions (
	id INTEGER PRIMARY KEY AUTOINCREMENT, project TEXT NOT NULL, grp TEXT NOT NULL, version INTEGER NOT NULL,
	status TEXT NOT NULL, revises TEXT NOT NULL, actor TEXT NOT NULL, why TEXT NOT NULL, at INTEGER NOT NULL,
	extra TEXT NOT NULL DEFAULT '{}',
	FOREIGN KEY (project, grp, version) REFERENCES models_2 (project, grp, version)
) STRICT;
CREATE INDEX model_decisions_version ON model_decisions (project, grp, version, id);
`, convert: func(ctx context.Context, tx *sql.Tx, project delivery.Project) error {
		_, err := tx.ExecContext(ctx, `
INSERT INTO models_2 (project, grp, version, digest, metrics, lineage, created_at)
	SELECT ?1, grp, version, digest, metrics, lineage, created_at FROM models;
INSERT INTO model_decisions (project, grp, version, status, revises, actor, why, at)
	SELECT ?1, grp, version, status, 'PendingManualApproval', json_object('name', decided_by), why, decided_at
	FROM models WHERE status <> 'PendingManualApproval' ORDER BY decided_at;
DROP TABLE models;
ALTER TABLE models_2 RENAME TO models;
`, project)
		return err
	}}
}
