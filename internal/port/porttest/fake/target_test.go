package fake_test

import (
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest"
	"github.com/slipway-cd/slipway/internal/port/porttest/fake"
)

func TestChronicler(t *testing.T) {
	porttest.TestChronicler(t, func(*testing.T) porttest.ChroniclerFixture {
		c := new(fake.Chronicle)
		return porttest.ChroniclerFixture{
			Open: func(*testing.T) port.Chronicler { return c },
			Damage: func(_ *testing.T, id delivery.ReleaseID, way int) bool {
				if id != "" || way > 0 {
					return false
				}
				c.Spoil("sample", "prod")
				return true
			},
		}
	})
}

func fixture(keeps bool) porttest.TargetFixture {
	target := &fake.Target{Keeps: keeps}
	turn := 0
	return porttest.TargetFixture{
		Target: target, Keeps: keeps,
		Order: func(s porttest.Sample) port.Order {
			return port.Order{Service: "sample", Environment: "test", ID: delivery.ReleaseID("r-" + s.Version), Within: delivery.Duration(time.Second)}
		},
		// Of a hundred requests in a row, a release that was shifted to gets its
		// percentage.
		Answer: func(string) (delivery.ReleaseID, error) {
			turn++
			serving, all := target.Running("test")
			for _, id := range all {
				if turn%100 < target.Shifted("test", id) {
					return id, nil
				}
			}
			return serving, nil
		},
	}
}

func TestSettler(t *testing.T) {
	for _, keeps := range []bool{false, true} {
		porttest.TestSettler(t, func(*testing.T) porttest.TargetFixture { return fixture(keeps) })
	}
}

func TestShifter(t *testing.T) {
	porttest.TestShifter(t, func(*testing.T) porttest.TargetFixture { return fixture(false) })
}
