//go:build linux

package attack

import (
	"encoding/json"
	"strings"
	"testing"
)

// Test10: one person gave the two approvals that an environment requires, under two
// names.
func Test10(t *testing.T) {
	l := newLab(t)
	l.edit("slipway.yaml", "bake: 300ms}", "bake: 300ms, approvals: 2}")
	l.commit("two people")
	run := l.waitingRun()
	for _, name := range []string{"bob", "carol"} {
		l.slipway("approve", run, "--by", name, "--no-wait").wantExit(0)
	}
	l.with("SLIPWAY_ACTOR=dave").slipway("approve", run, "--no-wait").wantExit(0)
	l.with("SLIPWAY_ACTOR=", "USER=erin", "LOGNAME=erin").slipway("approve", run, "--no-wait").wantExit(0)
	l.slipway("run", "--resume", run).wantExit(4).wantText("0 of 2 approvals for prod")

	for id, name := range map[string]string{"7": "frank", "8": "grace"} { // two people, for whom the CI vouches
		l.with("GITHUB_ACTIONS=true", "GITHUB_SERVER_URL=https://github.com", "GITHUB_ACTOR="+name, "GITHUB_ACTOR_ID="+id, "SLIPWAY_ACTOR=").
			slipway("approve", run, "--no-wait").wantExit(0)
	}
	l.slipway("run", "--resume", run).wantExit(0)
}

// waitingRun runs until an approval is missing, and returns the run.
func (l *lab) waitingRun() string {
	l.t.Helper()
	r := l.slipway("run", "--env", "prod", "--json").wantExit(4)
	var report struct {
		Run string `json:"run"`
	}
	lines := strings.Split(strings.TrimSpace(r.stdout), "\n")
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &report); err != nil || report.Run == "" {
		l.t.Fatalf("no run in the report: %v\n%s", err, r)
	}
	return report.Run
}
