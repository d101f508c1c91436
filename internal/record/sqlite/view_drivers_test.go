package sqlite_test

import (
	"testing"

	"github.com/slipway-cd/slipway/internal/adapter/objecttest"
	"github.com/slipway-cd/slipway/internal/record"
	"github.com/slipway-cd/slipway/internal/record/storetest"
)

// TestView_Drivers holds the suite against every driver: every handle is a machine of
// its own with an empty disk.
func TestView_Drivers(t *testing.T) {
	for _, driver := range objecttest.Drivers() {
		t.Run(driver, func(t *testing.T) {
			t.Parallel()
			server := objecttest.Start(t, driver)
			storetest.TestStore(t, func(t *testing.T) record.Store { return openMachine(t, server.Open(t, t.Name())) })
		})
	}
}
