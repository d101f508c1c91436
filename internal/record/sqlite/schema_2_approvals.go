package sqlite

// approvals2 leads approvals to version 2.
func approvals2() migration {
	return migration{statements: `
ALTER TABLE approvals ADD COLUMN extra TEXT NOT NULL DEFAULT '{}';
`}
}
