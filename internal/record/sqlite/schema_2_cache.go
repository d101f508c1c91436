package sqlite

// cache2 leads cached results to version 2.
func cache2() migration {
	return migration{statements: `
ALTER TABLE cache ADD COLUMN extra TEXT NOT NULL DEFAULT '{}';
`}
}
