package cli_test

import (
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/app"
)

// A run that did not train although its inputs changed says so after its result, with the
// command that trains; one without a change says nothing of it.
func TestRun_NotRetrained(t *testing.T) {
	p := newOrderedProgram(t)
	p.useFile(strings.Replace(modelProject, "train: {", "train: {when: manual, ", 1))
	if got := p.run("run", "--env", "prod", "--retrain", "--json"); got.code != 4 || last[app.RunReport](t, got).NotRetrained != "" {
		t.Fatalf("exit code %d, want 4, trained: %s%s", got.code, got.stdout, got.stderr)
	}
	if got := p.run("approve", "prices:1"); got.code != 0 {
		t.Fatal(got.stderr)
	}
	if got := p.run("run", "--env", "prod"); got.code != 0 || strings.Contains(got.stdout, "note ") {
		t.Errorf("without a change: exit code %d: %s%s", got.code, got.stdout, got.stderr)
	}
	p.useFile(strings.Replace(strings.Replace(modelProject, "train: {", "train: {when: manual, ", 1), "run: train", "run: train 2", 1))
	const want = "training inputs changed; not retrained (when: manual): `slipway run --env prod --retrain` trains"
	if got := p.run("run", "--env", "prod"); got.code != 0 || !strings.Contains(got.stdout, "note     "+want+"\n") {
		t.Errorf("exit code %d, want 0 and %q: %s%s", got.code, want, got.stdout, got.stderr)
	}
	if got := last[app.RunReport](t, p.run("run", "--env", "prod", "--json")).NotRetrained; got != want {
		t.Errorf("not_retrained = %q, want %q", got, want)
	}
}
