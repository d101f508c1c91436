module github.com/glebarez/go-sqlite

go 1.26.3

require modernc.org/sqlite v1.62.0
