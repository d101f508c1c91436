package sqlite

// releases2 leads releases, their quarantine and their deployments to version 2.
func releases2() migration {
	return migration{statements: `
ALTER TABLE releases ADD COLUMN extra TEXT NOT NULL DEFAULT '{}';
ALTER TABLE quarantine ADD COLUMN extra TEXT NOT NULL DEFAULT '{}';
ALTER TABLE deployments ADD COLUMN extra TEXT NOT NULL DEFAULT '{}';
`}
}
