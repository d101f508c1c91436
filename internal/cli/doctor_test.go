package cli

import (
	"testing"

	"github.com/slipway-cd/slipway/internal/app"
	"github.com/slipway-cd/slipway/internal/port"
)

func TestDiagnosesExitCode(t *testing.T) {
	for _, c := range []struct {
		name   string
		states []port.CheckState
		want   int
	}{
		{"nothing", nil, ExitOK},
		{"good", []port.CheckState{port.CheckOK, port.CheckWarning}, ExitOK},
		{"not known", []port.CheckState{port.CheckUnknown, port.CheckOK}, ExitDrift},
		{"failed", []port.CheckState{port.CheckUnknown, port.CheckFailed, port.CheckOK}, ExitFailed},
	} {
		t.Run(c.name, func(t *testing.T) {
			var all []app.Diagnosis
			for _, s := range c.states {
				all = append(all, app.Diagnosis{CheckResult: port.CheckResult{State: s}})
			}
			if got := diagnosesExitCode(all); got != c.want {
				t.Errorf("exit code %d, want %d", got, c.want)
			}
		})
	}
}
