package fake_test

import (
	"testing"

	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest"
	"github.com/slipway-cd/slipway/internal/port/porttest/fake"
)

func TestObjectStore(t *testing.T) {
	porttest.TestObjectStore(t, func(*testing.T) func() port.ObjectStore {
		s := &fake.ObjectStore{}
		return func() port.ObjectStore { return s }
	})
}
