package sqlite

// outbox2 leads messages to send to version 2: they belong to a project.
func outbox2() migration {
	return migration{statements: `
CREATE TABLE outbox_2 (
	id INTEGER PRIMARY KEY AUTOINCREMENT, project TEXT NOT NULL, receiver TEXT NOT NULL, message TEXT NOT NULL,
	title TEXT NOT NULL, body TEXT NOT NULL, document BLOB, attempts INTEGER NOT NULL, next_at INTEGER NOT NULL,
	sent INTEGER NOT NULL, extra TEXT NOT NULL DEFAULT '{}',
	UNIQUE (project, receiver, message)
) STRICT;
INSERT INTO outbox_2 (id, project, receiver, message, title, body, document, attempts, next_at, sent)
	SELECT id, migrating.project, receiver, message, title, body, document, attempts, next_at, sent FROM outbox, migrating;
DROP TABLE outbox;
ALTER TABLE outbox_2 RENAME TO outbox;
CREATE INDEX outbox_due ON outbox (project, next_at) WHERE sent = 0;
`}
}
