package sqlite

// models2 leads models to version 2.
func models2() migration {
	return migration{statements: `
ALTER TABLE models ADD COLUMN extra TEXT NOT NULL DEFAULT '{}';
`}
}
