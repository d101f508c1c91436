PRAGMA application_id = 0x534c5057;
PRAGMA user_version = 1;
CREATE TABLE runs (
	id TEXT PRIMARY KEY, environment TEXT NOT NULL, seq INTEGER NOT NULL UNIQUE, turn INTEGER NOT NULL,
	state TEXT NOT NULL, outcome TEXT NOT NULL, cause TEXT NOT NULL, hint TEXT NOT NULL, release TEXT NOT NULL,
	started_by TEXT NOT NULL, pid INTEGER NOT NULL, host TEXT NOT NULL, cancel TEXT NOT NULL, plan TEXT NOT NULL,
	created_at INTEGER NOT NULL, started_at INTEGER NOT NULL, ended_at INTEGER NOT NULL
) STRICT;
CREATE INDEX runs_queue ON runs (environment, seq) WHERE state IN ('queued', 'running');
CREATE INDEX runs_newest ON runs (environment, created_at DESC);

CREATE TABLE steps (
	run TEXT NOT NULL REFERENCES runs (id), name TEXT NOT NULL, idx INTEGER NOT NULL, kind TEXT NOT NULL,
	attempt INTEGER NOT NULL, begun INTEGER NOT NULL, result TEXT,
	PRIMARY KEY (run, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE cache (
	key TEXT PRIMARY KEY, run TEXT NOT NULL, result TEXT NOT NULL, used_at INTEGER NOT NULL
) STRICT;

CREATE TABLE outbox (
	id INTEGER PRIMARY KEY AUTOINCREMENT, receiver TEXT NOT NULL, message TEXT NOT NULL, title TEXT NOT NULL,
	body TEXT NOT NULL, document BLOB, attempts INTEGER NOT NULL, next_at INTEGER NOT NULL, sent INTEGER NOT NULL,
	UNIQUE (receiver, message)
) STRICT;
CREATE INDEX outbox_due ON outbox (next_at) WHERE sent = 0;

CREATE TABLE models (
	grp TEXT NOT NULL, version INTEGER NOT NULL, digest TEXT NOT NULL, status TEXT NOT NULL,
	metrics TEXT NOT NULL, lineage TEXT NOT NULL, created_at INTEGER NOT NULL,
	decided_by TEXT NOT NULL, decided_at INTEGER NOT NULL, why TEXT NOT NULL,
	PRIMARY KEY (grp, version), UNIQUE (grp, digest)
) STRICT;

CREATE TABLE releases (
	id TEXT PRIMARY KEY, seq INTEGER NOT NULL UNIQUE, digest TEXT NOT NULL, canonical TEXT NOT NULL,
	run TEXT NOT NULL, created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE quarantine (
	id INTEGER PRIMARY KEY AUTOINCREMENT, release TEXT NOT NULL REFERENCES releases (id), environment TEXT NOT NULL,
	reason TEXT NOT NULL, since INTEGER NOT NULL, run TEXT NOT NULL,
	let_go_by TEXT, let_go_why TEXT, let_go_at INTEGER
) STRICT;
CREATE UNIQUE INDEX quarantine_now ON quarantine (release) WHERE let_go_at IS NULL;

CREATE TABLE deployments (
	id INTEGER PRIMARY KEY AUTOINCREMENT, environment TEXT NOT NULL, release TEXT NOT NULL, run TEXT NOT NULL,
	state TEXT NOT NULL, let_in_by TEXT NOT NULL, replaced TEXT NOT NULL, reason TEXT NOT NULL,
	started_at INTEGER NOT NULL, serving_at INTEGER NOT NULL, ended_at INTEGER NOT NULL,
	UNIQUE (run, release, environment)
) STRICT;
CREATE UNIQUE INDEX deployments_serving ON deployments (environment) WHERE state = 'serving';
CREATE INDEX deployments_environment ON deployments (environment, id DESC);

CREATE TABLE approvals (
	id INTEGER PRIMARY KEY AUTOINCREMENT, run TEXT NOT NULL, subject TEXT NOT NULL, person TEXT NOT NULL,
	yes INTEGER NOT NULL, why TEXT NOT NULL, at INTEGER NOT NULL,
	UNIQUE (run, subject, person)
) STRICT
