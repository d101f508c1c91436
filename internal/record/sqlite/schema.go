package sqlite

import (
	"context"
	"database/sql"

	"github.com/slipway-cd/slipway/internal/delivery"
)

// applicationID marks the file as Slipway's ("SLPW"), so that another program's
// database is never taken for ours.
const applicationID = 0x534c5057

// migration is what one topic changes from a version of the schema to the next. The
// table migrating has one row with one column, project: that of the rows which an
// older version kept without one.
type migration struct {
	statements string
	// convert changes rows where statements alone can't. May be nil.
	convert func(ctx context.Context, tx *sql.Tx, project delivery.Project) error
}

// migrations lead from one version of the schema to the next: migrations[0] makes
// version 1. The topics of a version are applied in order, in one transaction.
// Released ones never change. Times are nanoseconds since 1970, UTC, 0 for none;
// documents are JSON.
//
// Every table has a column extra since version 2, a JSON object: what a later
// program adds there is kept by this one, and needs no new version.
func migrations() [][]migration {
	return [][]migration{
		{{statements: schema1}},
		{runs2(), cache2(), outbox2(), models2(), approvals2(), releases2()},
		{owners3()},
	}
}
