package cli_test

import (
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/app"
	"github.com/slipway-cd/slipway/internal/delivery"
)

// run --wait goes on with a decision that is made elsewhere, such as in the interface of
// the model registry.
func TestRun_Wait(t *testing.T) {
	for name, tt := range map[string]struct {
		decide  []string
		code    int
		outcome delivery.Outcome
	}{
		"approved": {[]string{"approve", "prices:1", "--no-wait"}, 0, delivery.OutcomeDeployed},
		"rejected": {[]string{"reject", "prices:1", "--no-wait", "--why", "biased"}, 1, delivery.OutcomeFailed},
	} {
		t.Run(name, func(t *testing.T) {
			p := newOrderedProgram(t)
			p.useFile(modelProject)
			waiting := p.waitingRun()
			done := make(chan output, 1)
			go func() {
				time.Sleep(300 * time.Millisecond)
				done <- p.run(tt.decide...)
			}()
			got := p.run("run", "--resume", string(waiting.Run), "--wait", "20s", "--json")
			if decided := <-done; decided.code != 0 {
				t.Fatalf("decide: exit code %d: %s", decided.code, decided.stderr)
			}
			report := last[app.RunReport](t, got)
			if got.code != tt.code || report.Outcome != tt.outcome || report.Run != waiting.Run {
				t.Errorf("exit code %d, outcome %s of %s: %s", got.code, report.Outcome, report.Run, got.stderr)
			}
		})
	}
	t.Run("nobody decides", func(t *testing.T) {
		p := newOrderedProgram(t)
		p.useFile(modelProject)
		got := p.run("run", "--env", "prod", "--wait", "200ms", "--json")
		if report := last[app.RunReport](t, got); got.code != 4 || report.Outcome != delivery.OutcomeWaiting {
			t.Errorf("exit code %d, outcome %s: %s", got.code, report.Outcome, got.stderr)
		}
	})
	t.Run("decided before it is looked at", func(t *testing.T) {
		p := newOrderedProgram(t)
		p.useFile(modelProject)
		waiting := p.waitingRun()
		if got := p.run("approve", "prices:1", "--no-wait"); got.code != 0 {
			t.Fatal(got.stderr)
		}
		got := p.run("run", "--resume", string(waiting.Run), "--wait", "10s", "--json")
		if report := last[app.RunReport](t, got); got.code != 0 || report.Outcome != delivery.OutcomeDeployed {
			t.Errorf("exit code %d, outcome %s: %s", got.code, report.Outcome, got.stderr)
		}
	})
}
