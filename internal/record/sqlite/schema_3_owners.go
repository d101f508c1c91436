package sqlite

// owners3 adds who works on a run that several machines can reach.
func owners3() migration {
	return migration{statements: `
CREATE TABLE owners (
	project TEXT NOT NULL, run TEXT NOT NULL, epoch INTEGER NOT NULL, holder TEXT NOT NULL, machine TEXT NOT NULL,
	extra TEXT NOT NULL DEFAULT '{}',
	PRIMARY KEY (project, run)
) STRICT, WITHOUT ROWID;
`}
}
