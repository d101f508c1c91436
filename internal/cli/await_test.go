package cli_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/app"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest/fake"
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

// An alarm that is raised while run --wait waits ends the run: nothing was deployed, and
// nobody has to approve first.
func TestRun_WaitAlarm(t *testing.T) {
	p := newOrderedProgram(t)
	p.useFile(strings.NewReplacer("version: 1\n", "version: 1\naws: {region: ap-southeast-1}\n", "target: {local: {}}", "target: {local: {}}, bake: 1m, alarms: [{name: checkout-errors}]").Replace(modelProject))
	alarms := &fake.Alarms{}
	alarms.Set("checkout-errors", port.AlarmOK)
	p.monitors = func(delivery.Location) (port.Alarms, port.Meter, error) { return alarms, alarms, nil }
	waiting := p.waitingRun()
	go func() {
		time.Sleep(300 * time.Millisecond)
		alarms.Set("checkout-errors", port.AlarmRaised)
	}()
	got := p.run("run", "--resume", string(waiting.Run), "--wait", "20s", "--json")
	report := last[app.RunReport](t, got)
	if got.code != 1 || report.Run != waiting.Run || !strings.Contains(report.Cause, "alarm checkout-errors is in ALARM") {
		t.Errorf("exit code %d, run %s: %s %s", got.code, report.Run, report.Cause, got.stderr)
	}
	if alarms.Asked() < 3 || slices.Contains(p.ran, "deploy") {
		t.Errorf("asked %d times; steps %q", alarms.Asked(), p.ran)
	}
}
