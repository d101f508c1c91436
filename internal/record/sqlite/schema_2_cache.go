package sqlite

// cache2 leads cached results to version 2: they belong to a project.
func cache2() migration {
	return migration{statements: `
CREATE TABLE cache_2 (
	project TEXT NOT NULL, key TEXT NOT NULL, run TEXT NOT NULL, result TEXT NOT NULL, used_at INTEGER NOT NULL,
	extra TEXT NOT NULL DEFAULT '{}',
	PRIMARY KEY (project, key)
) STRICT;
INSERT INTO cache_2 (project, key, run, result, used_at)
	SELECT migrating.project, key, run, result, used_at FROM cache, migrating;
DROP TABLE cache;
ALTER TABLE cache_2 RENAME TO cache;
CREATE INDEX cache_unused ON cache (project, used_at);
`}
}
