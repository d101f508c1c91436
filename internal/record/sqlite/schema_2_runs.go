package sqlite

import (
	"context"
	"database/sql"

	"github.com/slipway-cd/slipway/internal/delivery"
)

// runs2 leads runs and their steps to version 2: they belong to a project, and actors
// take the place of names. The column cancel is the actor who wants the run stopped.
// A column without an actor is empty.
func runs2() migration {
	return migration{convert: digestPlans, statements: `
CREATE TABLE runs_2 (
	project TEXT NOT NULL, id TEXT NOT NULL, environment TEXT NOT NULL, seq INTEGER NOT NULL, turn INTEGER NOT NULL,
	state TEXT NOT NULL, outcome TEXT NOT NULL, cause TEXT NOT NULL, hint TEXT NOT NULL, release TEXT NOT NULL,
	started_by TEXT NOT NULL, pid INTEGER NOT NULL, host TEXT NOT NULL, cancel TEXT NOT NULL, plan TEXT NOT NULL,
	plan_digest TEXT NOT NULL, commit_sha TEXT NOT NULL, created_at INTEGER NOT NULL, started_at INTEGER NOT NULL, ended_at INTEGER NOT NULL, extra TEXT NOT NULL DEFAULT '{}',
	PRIMARY KEY (project, id), UNIQUE (project, seq)
) STRICT;
INSERT INTO runs_2 (project, id, environment, seq, turn, state, outcome, cause, hint, release,
		started_by, pid, host, cancel, plan, plan_digest, commit_sha, created_at, started_at, ended_at)
	SELECT migrating.project, id, environment, seq, turn, state, outcome, cause, hint, release,
		iif(started_by = '', '', json_object('name', started_by)), pid, host, iif(cancel = '', '', json_object('name', cancel)), plan,
		'', iif(json_valid(plan), coalesce(json_extract(plan, '$.commit.sha'), ''), ''), created_at, started_at, ended_at
	FROM runs, migrating;

CREATE TABLE steps_2 (
	project TEXT NOT NULL, run TEXT NOT NULL, name TEXT NOT NULL, idx INTEGER NOT NULL, kind TEXT NOT NULL,
	attempt INTEGER NOT NULL, begun INTEGER NOT NULL, result TEXT, extra TEXT NOT NULL DEFAULT '{}',
	PRIMARY KEY (project, run, name), FOREIGN KEY (project, run) REFERENCES runs_2 (project, id)
) STRICT, WITHOUT ROWID;
INSERT INTO steps_2 (project, run, name, idx, kind, attempt, begun, result)
	SELECT migrating.project, run, name, idx, kind, attempt, begun, result FROM steps, migrating;

DROP TABLE steps;
DROP TABLE runs;
ALTER TABLE runs_2 RENAME TO runs;
ALTER TABLE steps_2 RENAME TO steps;
CREATE INDEX runs_queue ON runs (project, environment, seq) WHERE state IN ('queued', 'running');
CREATE INDEX runs_newest ON runs (project, created_at DESC, id DESC);
CREATE INDEX runs_newest_of_environment ON runs (project, environment, created_at DESC, id DESC);
`}
}

// digestPlans computes the digests of the plans, which SQL can't.
func digestPlans(ctx context.Context, tx *sql.Tx, _ delivery.Project) error {
	type row struct{ id, document string }
	rows, err := list(ctx, tx, func(from scanner) (r row, err error) { return r, from.Scan(&r.id, &r.document) }, "SELECT id, plan FROM runs")
	if err != nil {
		return err
	}
	for _, r := range rows {
		_, err := tx.ExecContext(ctx, "UPDATE runs SET plan_digest = ? WHERE id = ?", delivery.DigestOf([]byte(r.document)), r.id)
		if err != nil {
			return err
		}
	}
	return nil
}
