// Package sqlite stands in for github.com/glebarez/go-sqlite, which grype's
// database is read through. That is another build of the driver that our records
// use, under the same name "sqlite", and database/sql ends a program in which a
// name is registered twice. Here the name means one driver for both.
package sqlite

import modernc "modernc.org/sqlite" // the driver "sqlite"

// Error is what the driver says went wrong.
type Error = modernc.Error
