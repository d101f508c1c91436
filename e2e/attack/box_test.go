//go:build linux

package attack

import (
	"path/filepath"
	"strings"
	"testing"
)

// boxedProject is a repository whose test looks for what is not its business.
const boxedProject = `version: 1
service: tiny
box: own
test: [{name: spy, run: 'sh ./spy.sh'}]
image: {repository: tiny, build: {go: .}}
environments: {dev: {on: {push: main}, until: test}}
`

// TestBoxed: a test reads the user's keys and other processes, and changes what later
// runs find in the state. In a box it finds neither.
func TestBoxed(t *testing.T) {
	l := newLab(t).as(victimUID)
	key := filepath.Join(l.home, ".ssh", "id")
	l.write("slipway.yaml", boxedProject)
	l.write("spy.sh", `cat `+key+` /proc/[0-9]*/environ 2>/dev/null | tr '\0' '\n' | sed 's/^/seen: /'
ls -d /proc/[0-9]* | wc -l | sed 's/^/processes: /'
echo '{}' >`+filepath.Join(l.repo, ".slipway", "planted")+`
ls -A `+l.repo+`/.git 2>/dev/null | sed 's/^/git: /'
exit 1
`)
	l.run("mkdir", "-p", filepath.Dir(key))
	l.run("sh", "-c", "echo stolen-key >"+key)
	l.give(l.repo)
	l.commit("spy")
	sleeper := l.with("STOLEN=stolen-process").start("sleep", "60")
	defer func() { _ = sleeper.Process.Kill() }()
	got := l.slipway("run", "--env", "dev")
	if strings.Contains(got.String(), "needs a box") {
		t.Skip(got.String())
	}
	got.wantExit(1)
	log := l.slipway("logs", "latest", "test.spy")
	if !strings.Contains(log.String(), "processes: ") {
		t.Fatalf("the test did not run:\n%s\n%s", got, log)
	}
	for _, stolen := range []string{"stolen-key", "stolen-process", "git: "} {
		if strings.Contains(log.String(), stolen) {
			t.Errorf("the test saw %q:\n%s", stolen, lines(log.String(), "seen: "))
		}
	}
	if l.exists(filepath.Join(l.repo, ".slipway", "planted")) {
		t.Error("the test wrote to the state folder")
	}
}
