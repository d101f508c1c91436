package fake_test

import (
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest"
	"github.com/slipway-cd/slipway/internal/port/porttest/fake"
)

func TestAlarms_Conformance(t *testing.T) {
	porttest.TestAlarms(t, func(*testing.T) porttest.AlarmsFixture {
		a := &fake.Alarms{}
		return porttest.AlarmsFixture{
			Alarms: a, Publish: a.AddValue, Pass: func(time.Duration) {}, Mute: a.Mute, Remove: a.Remove,
			Foreign: func(name string) { a.Set(name, port.AlarmOK) },
			Break:   func() { a.Break(fault.New(fault.Unavailable, "no response")) },
		}
	})
}
