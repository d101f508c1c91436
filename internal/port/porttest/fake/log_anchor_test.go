package fake_test

import (
	"testing"

	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest"
	"github.com/slipway-cd/slipway/internal/port/porttest/fake"
)

func TestLogAnchor(t *testing.T) {
	porttest.TestLogAnchor(t, func(*testing.T) porttest.LogAnchorFixture {
		l := new(fake.LogAnchor)
		return porttest.LogAnchorFixture{
			Open:   func(*testing.T) port.LogAnchor { return l },
			Damage: func(*testing.T) { l.DamageAnchor("sample", "prod") },
		}
	})
}
