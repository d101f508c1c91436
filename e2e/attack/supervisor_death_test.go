//go:build linux

package attack

import (
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// TestSupervisorKilled: who makes the kernel kill the supervisor, for example for lack of
// memory, takes every environment down for good.
func TestSupervisorKilled(t *testing.T) {
	l := newService(t)
	l.edit("slipway.yaml", "environments: {", "environments: {staging: {on: {push: main}, target: {local: {}}}, ")
	l.commit("two environments")
	l.slipway("run", "--env", "staging").wantExit(0)
	prod := l.deploy()
	var staging struct{ URL string }
	l.json(&staging, "status", "--env", "staging")
	l.startPiped("up", "--watch")
	for round := range 2 {
		killed := l.processes("supervise --dir")
		if len(killed) != 1 {
			t.Fatalf("supervisors = %v, want one", killed)
		}
		l.must(syscall.Kill(killed[0], syscall.SIGKILL))
		for _, url := range []string{prod, staging.URL} {
			back := l.eventually(20*time.Second, func() bool { _, err := l.get(url); return err == nil })
			if !back {
				t.Fatalf("round %d: %s did not come back", round, url)
			}
		}
	}
	// What was taken down by a person stays down.
	l.slipway("down", "--all").wantExit(0)
	time.Sleep(2 * time.Second)
	if left := l.processes("SLIPWAY_RELEASE="); len(left) > 0 {
		t.Errorf("replicas after slipway down = %v, want none", left)
	}
}

// TestSupervisorKilled_Systemd writes the unit that does so at every boot.
func TestSupervisorKilled_Systemd(t *testing.T) {
	l := newService(t)
	user := l.as(victimUID)
	user.give(l.repo)
	path := filepath.Join(user.home, ".config", "systemd", "user", "slipway-web.service")
	user.slipway("up", "--systemd").wantExit(0).wantText(path, "systemctl --user")
	unit := l.run("cat", path)
	unit.wantText("WorkingDirectory="+l.repo, " up --watch", "Restart=on-failure", `"SLIPWAY_HOME=`+l.state+`"`)
}
