package sqlite

import (
	"context"
	"database/sql"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/release"
)

// releases2 leads releases, their quarantine and their deployments to version 2: a
// release is found by its content, and a quarantine holds content.
func releases2() migration {
	return migration{convert: convertReleases, statements: `
CREATE TABLE releases_2 (
	project TEXT NOT NULL, id TEXT NOT NULL, seq INTEGER NOT NULL, digest TEXT NOT NULL, canonical TEXT NOT NULL,
	content TEXT NOT NULL, image TEXT NOT NULL, model TEXT NOT NULL,
	run TEXT NOT NULL, created_at INTEGER NOT NULL, extra TEXT NOT NULL DEFAULT '{}',
	PRIMARY KEY (project, id), UNIQUE (project, seq)
) STRICT;
CREATE INDEX releases_content ON releases_2 (project, content);

CREATE TABLE origins (
	id INTEGER PRIMARY KEY AUTOINCREMENT, project TEXT NOT NULL, release TEXT NOT NULL, run TEXT NOT NULL,
	inputs TEXT NOT NULL, document TEXT NOT NULL, extra TEXT NOT NULL DEFAULT '{}',
	UNIQUE (project, release, run)
) STRICT;

CREATE TABLE quarantine_2 (
	id INTEGER PRIMARY KEY AUTOINCREMENT, project TEXT NOT NULL,
	content TEXT NOT NULL, inputs TEXT NOT NULL, image TEXT NOT NULL, model TEXT NOT NULL,
	environment TEXT NOT NULL, reason TEXT NOT NULL, since INTEGER NOT NULL, run TEXT NOT NULL,
	let_go_by TEXT, let_go_why TEXT, let_go_at INTEGER, extra TEXT NOT NULL DEFAULT '{}'
) STRICT;
CREATE UNIQUE INDEX quarantine_active ON quarantine_2 (project, content, image, model) WHERE let_go_at IS NULL;

CREATE TABLE deployments_2 (
	id INTEGER PRIMARY KEY AUTOINCREMENT, project TEXT NOT NULL, environment TEXT NOT NULL, release TEXT NOT NULL, run TEXT NOT NULL,
	state TEXT NOT NULL, let_in_by TEXT NOT NULL, actor TEXT NOT NULL DEFAULT '', replaced TEXT NOT NULL, reason TEXT NOT NULL,
	sha TEXT NOT NULL DEFAULT '', config TEXT NOT NULL DEFAULT '', inputs TEXT NOT NULL DEFAULT '{}',
	started_at INTEGER NOT NULL, serving_at INTEGER NOT NULL, ended_at INTEGER NOT NULL, extra TEXT NOT NULL DEFAULT '{}',
	UNIQUE (project, run, release, environment)
) STRICT;
`}
}

// convertReleases moves the rows, which are all of one project, and computes what
// the releases contain.
func convertReleases(ctx context.Context, tx *sql.Tx, project delivery.Project) error {
	rows, err := list(ctx, tx, scanOldRelease, "SELECT id, digest, canonical FROM releases")
	if err != nil {
		return err
	}
	for _, r := range rows {
		_, err := tx.ExecContext(ctx, `INSERT INTO releases_2 (project, id, seq, digest, canonical, content, image, model, run, created_at)
			SELECT ?, id, seq, digest, canonical, ?, ?, ?, run, created_at FROM releases WHERE id = ?`,
			project, r.content, r.image, r.model, r.id)
		if err != nil {
			return err
		}
	}
	_, err = tx.ExecContext(ctx, `
INSERT INTO quarantine_2 (id, project, content, inputs, image, model, environment, reason, since, run, let_go_by, let_go_why, let_go_at)
	SELECT q.id, ?1, r.content, '', '', '', q.environment, q.reason, q.since, q.run, q.let_go_by, q.let_go_why, q.let_go_at
	FROM quarantine q JOIN releases_2 r ON r.id = q.release WHERE true
	ON CONFLICT DO NOTHING;
INSERT INTO deployments_2 (id, project, environment, release, run, state, let_in_by, actor, replaced, reason, started_at, serving_at, ended_at)
	SELECT id, ?1, environment, release, run, state, let_in_by, json_object('name', let_in_by), replaced, reason, started_at, serving_at, ended_at FROM deployments;
DROP TABLE quarantine;
DROP TABLE releases;
DROP TABLE deployments;
ALTER TABLE releases_2 RENAME TO releases;
ALTER TABLE quarantine_2 RENAME TO quarantine;
ALTER TABLE deployments_2 RENAME TO deployments;
CREATE UNIQUE INDEX deployments_serving ON deployments (project, environment) WHERE state = 'serving';
CREATE INDEX deployments_environment ON deployments (project, environment, id DESC);
`, project)
	return err
}

// oldRelease is what a row of version 1 contains.
type oldRelease struct {
	id, content, image, model string
}

// scanOldRelease takes a damaged record as it is, under a content that no other has:
// whoever reads it later is told.
func scanOldRelease(row scanner) (o oldRelease, err error) {
	var digest, canonical string
	if err := row.Scan(&o.id, &digest, &canonical); err != nil {
		return o, err
	}
	rel, _, _, err := release.Parse([]byte(canonical))
	if err != nil {
		o.content = digest
		return o, nil //nolint:nilerr // whoever reads the record is told
	}
	content, err := release.ContentDigest(rel)
	o.content, o.image, o.model = string(content), string(rel.Image.Digest), string(rel.ModelDigest())
	return o, err
}
