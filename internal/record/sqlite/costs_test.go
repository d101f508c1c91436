package sqlite_test

import (
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/record"
	"github.com/slipway-cd/slipway/internal/record/storetest"
)

// Machines share the budget of a month also where their views of the records may be old: a
// machine that has recorded its own job has read what was recorded before.
func TestView_CostsOfMachinesWithOldViews(t *testing.T) {
	objects := perTest()
	storetest.TestCosts(t, func(t *testing.T) record.Store {
		return openView(t, t.TempDir(), objects(t), "retail", time.Hour)
	})
}
