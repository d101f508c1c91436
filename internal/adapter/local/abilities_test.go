//go:build linux

package local_test

import (
	"context"
	"testing"

	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest"
)

func TestTarget_Restores(t *testing.T) {
	porttest.TestRestorer(t, func(t *testing.T) porttest.RestorerFixture {
		s := newTestTarget(t, nil)
		return porttest.RestorerFixture{
			TargetFixture: porttest.TargetFixture{Target: s, Request: s.request},
			Stop: func(t *testing.T) {
				t.Helper()
				if err := s.Down(context.Background()); err != nil {
					t.Fatal(err)
				}
			},
		}
	})
}

func TestTarget_ListsUnused(t *testing.T) {
	porttest.TestUnusedLister(t, func(t *testing.T) porttest.TargetFixture {
		s := newTestTarget(t, nil)
		return porttest.TargetFixture{Target: s, Request: s.request}
	})
}

// TestTarget_Identifies: the intruder has the port of the service, whose supervisor was
// killed.
func TestTarget_Identifies(t *testing.T) {
	porttest.TestIdentifier(t, func(t *testing.T) porttest.IdentifierFixture {
		s := newTestTarget(t, nil)
		return porttest.IdentifierFixture{
			TargetFixture: porttest.TargetFixture{Target: s, Request: s.request},
			Intrude: func(t *testing.T, deployed port.Observation, _, _ port.DeployRequest) func() {
				t.Helper()
				s.killSupervisor(t)
				stranger(t, deployed.URL)
				return func() {
					if err := s.Restore(context.Background()); err != nil {
						t.Fatal(err)
					}
				}
			},
		}
	})
}
