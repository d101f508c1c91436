//go:build e2e

package e2e

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// unprivilegedUID is the id of a user without any rights.
const unprivilegedUID = 54321

// Delivers as an unprivileged user, and starts the service again after the death of its
// supervisor.
func TestUnprivilegedUser(t *testing.T) {
	t.Parallel()
	p := newTinyProject(t)
	if os.Getuid() == 0 {
		p.runAs(unprivilegedUID)
	}
	good := p.run().wantRun(0, "deployed").report.Release
	p.wantDeployed(good)
	p.setBehaviour("predict fails")
	r := p.withLoad(good, func() result { return p.run().wantRun(3, "rolled_back") }, false)
	p.wantRolledBack(good, r)
	p.checkRecovery(good)
}

// Two replicas of a service that listens on port 8000 whatever PORT says, with a secret
// in its variables, switch to the next release without losing a request. The local
// target's own tests repeat that as an ordinary user.
func TestFixedPort(t *testing.T) {
	t.Parallel()
	p := newTinyProject(t)
	p.edit("main.go", `":"+os.Getenv("PORT")`, `":8000"`)
	p.edit("slipway.yaml", "  replicas: 2\n  env: {", `  replicas: 2
  port: 8000
  env: {API_KEY: "${E2E_TOKEN}", `)
	p.commit("listen on port 8000")
	first := p.run().wantRun(0, "deployed").report.Release
	p.edit("slipway.yaml", `ROUND: "0"`, `ROUND: "1"`)
	p.commit("the next round")
	second := p.withLoad(first, func() result { return p.run().wantRun(0, "deployed") }, false).report.Release
	p.wantDeployed(second)
	inside := p.processes("API_KEY=" + envSecret)
	if len(inside) != 2 {
		t.Errorf("%d processes have the secret, want the two replicas", len(inside))
	}
	if state := p.read(filepath.Join(p.home, "local", "state.json")); strings.Contains(state, envSecret) || !strings.Contains(state, "${E2E_TOKEN}") {
		t.Errorf("state.json has the secret instead of its name:\n%s", state)
	}
	p.withoutVariable("E2E_TOKEN")
	p.edit("slipway.yaml", `ROUND: "1"`, `ROUND: "2"`)
	p.commit("another round")
	if r := p.slipway("plan").wantExit(2); !strings.Contains(r.stdout+r.stderr, "deploy.env.API_KEY") {
		t.Errorf("plan without the variable does not name it\n%s", r)
	}
}

// withoutVariable removes a variable from the environment of later commands.
func (p *project) withoutVariable(name string) {
	p.env = slices.DeleteFunc(slices.Clone(p.env), func(kv string) bool { return strings.HasPrefix(kv, name+"=") })
}

// runAs gives all files to the user and runs later commands as that user, with a separate
// home and build cache.
func (p *project) runAs(uid int) {
	p.t.Helper()
	home := filepath.Join(p.base, "home")
	p.must(os.Mkdir(home, 0o755))
	for dir := p.base; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		info, err := os.Stat(dir)
		p.must(err)
		if info.Mode().Perm()&1 == 0 {
			p.t.Skipf("%s is closed to other users: set TMPDIR to a folder that is not", dir)
		}
	}
	// The repository may be in a folder that is closed to other users.
	program, err := os.ReadFile(slipwayBinary())
	p.must(err)
	p.program = filepath.Join(p.base, "slipway")
	p.must(os.WriteFile(p.program, program, 0o755))
	linkBuildCache(filepath.Join(home, "cache"))
	p.must(filepath.WalkDir(p.base, func(path string, d fs.DirEntry, err error) error {
		if err == nil && (d.IsDir() || !strings.HasPrefix(path, filepath.Join(home, "cache"))) {
			err = os.Lchown(path, uid, uid)
		}
		return err
	}))
	p.credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(uid)}
	var env []string
	for _, kv := range p.env {
		if !strings.HasPrefix(kv, "XDG_") && !strings.HasPrefix(kv, "GO") && !strings.HasPrefix(kv, "TMPDIR=") {
			env = append(env, kv)
		}
	}
	p.env = append(env, "HOME="+home, "USER=ordinary", "LOGNAME=ordinary", "TMPDIR="+home,
		"GOCACHE="+filepath.Join(home, "cache"), "GOPATH="+filepath.Join(home, "go"), "GOFLAGS=-buildvcs=false", "GOTOOLCHAIN=local")
}

// linkBuildCache fills a build cache with links to the files of the caller's, which the
// user can read but not change. It saves compiling the standard library; where links
// are not possible, the cache stays cold.
func linkBuildCache(cache string) {
	out, err := exec.Command("go", "env", "GOCACHE").Output()
	if err != nil {
		return
	}
	from := strings.TrimSpace(string(out))
	_ = filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		rel, relErr := filepath.Rel(from, path)
		if err != nil || relErr != nil {
			return fs.SkipDir
		}
		if d.IsDir() {
			return os.MkdirAll(filepath.Join(cache, rel), 0o755)
		}
		if !d.Type().IsRegular() || filepath.Dir(path) == from {
			return nil // notes on the cache itself: every cache writes its own
		}
		return os.Link(path, filepath.Join(cache, rel))
	})
}

// checkRecovery checks that `slipway up` starts the same release after the supervisor died.
func (p *project) checkRecovery(good string) {
	p.t.Helper()
	supervisors := p.supervisors()
	if len(supervisors) == 0 {
		p.t.Fatalf("no supervisor among the processes %v", p.processes(""))
	}
	for _, proc := range supervisors {
		p.must(syscall.Kill(proc.pid, syscall.SIGKILL))
	}
	p.slipway("up").wantExit(0)
	p.wantDeployed(good)
	again := p.supervisors()
	if len(again) != 1 || again[0].pid == supervisors[0].pid {
		p.t.Errorf("supervisors after slipway up: %v, want as many new ones as before: %v", again, supervisors)
	}
}

// Starts the service again after a reboot, which leaves none of its processes.
func TestUp_AfterReboot(t *testing.T) {
	t.Parallel()
	p := newTinyProject(t)
	p.rename("rebooted")
	good := p.run().wantRun(0, "deployed").report.Release
	url := p.wantDeployed(good).URL
	p.killAll()
	if _, err := p.health(url); err == nil {
		t.Fatal("the service survived the reboot")
	}
	if st := p.status("prod"); st.Health != "down" || st.Release != good {
		t.Errorf("after the reboot: release %s, health %s, want %s, down", st.Release, st.Health, good)
	}
	p.slipway("up").wantExit(0)
	if st := p.wantDeployed(good); st.URL != url {
		t.Errorf("the address was %s and is %s", url, st.URL)
	}
}

// A replica that dies is restarted, and status reports it.
func TestReplica_RestartsAfterCrash(t *testing.T) {
	t.Parallel()
	p := newTinyProject(t)
	good := p.run().wantRun(0, "deployed").report.Release
	p.wantDeployed(good)
	for _, proc := range p.processes("SLIPWAY_RELEASE=" + good) {
		_ = syscall.Kill(proc.pid, syscall.SIGKILL)
	}
	back := p.eventually(commandTimeout, func() bool { return p.status("prod").Health == "healthy" })
	if !back {
		t.Fatalf("status = %+v, want healthy again", p.status("prod"))
	}
	p.wantDeployed(good)
}
