//go:build linux

package attack

import (
	"strconv"
	"strings"
	"testing"
)

// The lab itself: what the attacks rely on holds.
func TestLab(t *testing.T) {
	t.Setenv("AWS_SECRET_ACCESS_KEY", "of the machine")
	l := newLab(t)
	if env := l.run("env").wantExit(0); strings.Contains(env.stdout, "AWS_") {
		t.Errorf("commands inherit secrets\n%s", env)
	}
	l.slipway("plan", "--env", "prod").wantExit(0).wantText("deploy")
	l.start("sleep", "300")
	if found := l.processes("sleep"); len(found) != 1 {
		t.Errorf("processes = %v, want the one started", found)
	}
	other := l.as(attackerUID)
	other.run("id", "-u").wantExit(0).wantText(strconv.Itoa(attackerUID))
	other.slipway("version").wantExit(0)
	other.run("touch", "owned").wantExit(1)
	other.give(l.repo)
	other.run("touch", "owned").wantExit(0)
}
