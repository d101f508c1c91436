package sqlite

// runs2 leads runs and their steps to version 2.
func runs2() migration {
	return migration{statements: `
ALTER TABLE runs ADD COLUMN extra TEXT NOT NULL DEFAULT '{}';
ALTER TABLE steps ADD COLUMN extra TEXT NOT NULL DEFAULT '{}';
`}
}
