package sqlite

// outbox2 leads messages to send to version 2.
func outbox2() migration {
	return migration{statements: `
ALTER TABLE outbox ADD COLUMN extra TEXT NOT NULL DEFAULT '{}';
`}
}
