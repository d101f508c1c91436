package sqlite

// approvals2 leads approvals to version 2: they belong to a project, actors take the
// place of names, and each is bound to a commit and a plan. Old ones are bound to
// none, which is empty. The column person is the actor's key.
func approvals2() migration {
	return migration{statements: `
CREATE TABLE approvals_2 (
	id INTEGER PRIMARY KEY AUTOINCREMENT, project TEXT NOT NULL, run TEXT NOT NULL, subject TEXT NOT NULL,
	person TEXT NOT NULL, actor TEXT NOT NULL, commit_sha TEXT NOT NULL, plan_digest TEXT NOT NULL,
	yes INTEGER NOT NULL, why TEXT NOT NULL, at INTEGER NOT NULL, extra TEXT NOT NULL DEFAULT '{}',
	UNIQUE (project, run, subject, person, plan_digest)
) STRICT;
INSERT INTO approvals_2 (id, project, run, subject, person, actor, commit_sha, plan_digest, yes, why, at)
	SELECT id, migrating.project, run, subject, person, json_object('name', person), '', '', yes, why, at
	FROM approvals, migrating;
DROP TABLE approvals;
ALTER TABLE approvals_2 RENAME TO approvals;
`}
}
