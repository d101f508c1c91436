package fake_test

import (
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest"
	"github.com/slipway-cd/slipway/internal/port/porttest/fake"
)

func TestHistoryStore(t *testing.T) {
	porttest.TestHistoryStore(t, func(*testing.T) porttest.HistoryStoreFixture {
		c := new(fake.HistoryStore)
		return porttest.HistoryStoreFixture{
			Open: func(*testing.T) port.HistoryStore { return c },
			Damage: func(_ *testing.T, id delivery.ReleaseID, way int) bool {
				if id != "" || way > 0 {
					return false
				}
				c.Corrupt("sample", "prod")
				return true
			},
		}
	})
}

func fixture(keeps bool) porttest.TargetFixture {
	target := &fake.Target{KeepsPrevious: keeps}
	turn := 0
	return porttest.TargetFixture{
		Target: target, KeepsPrevious: keeps,
		Request: func(s porttest.Sample) port.DeployRequest {
			return port.DeployRequest{Service: "sample", Environment: "test", ID: delivery.ReleaseID("r-" + s.Version), ReadyTimeout: delivery.Duration(time.Second)}
		},
		// Of a hundred requests in a row, a release with a weight gets its
		// percentage.
		Answer: func(string) (delivery.ReleaseID, error) {
			turn++
			serving, all := target.Running("test")
			for _, id := range all {
				if turn%100 < target.Weight("test", id) {
					return id, nil
				}
			}
			return serving, nil
		},
	}
}

func TestTarget_Finalize(t *testing.T) {
	for name, keeps := range map[string]bool{"stops the previous release": false, "keeps the previous release": true} {
		t.Run(name, func(t *testing.T) {
			porttest.TestFinalizer(t, func(*testing.T) porttest.TargetFixture { return fixture(keeps) })
		})
	}
}

func TestTarget_SetWeight(t *testing.T) {
	porttest.TestTrafficSplitter(t, func(*testing.T) porttest.TargetFixture { return fixture(false) })
}

func TestTarget_Identify(t *testing.T) {
	porttest.TestIdentifier(t, func(*testing.T) porttest.IdentifierFixture {
		f := fixture(false)
		return porttest.IdentifierFixture{TargetFixture: f, Intrude: func(_ *testing.T, _ port.Observation, _, previous port.DeployRequest) func() {
			target := f.Target.(*fake.Target)
			target.Unproven = func(delivery.ReleaseID) error {
				return fault.New(fault.Failed, "%s also responds", previous.ID)
			}
			return func() { target.Unproven = nil }
		}}
	})
}
