//go:build e2e

package e2e

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A replica that is stopped by a signal is noticed and replaced. It finishes the requests
// that it has, and all others are served by the other one.
func TestTargets_L4_HungReplica(t *testing.T) {
	t.Parallel()
	p := newTinyProject(t)
	good := p.run().wantRun(0, "deployed").report.Release
	replicas := p.processes("SLIPWAY_RELEASE=" + good)
	if len(replicas) != 2 {
		t.Fatalf("replicas: %v, want 2", replicas)
	}
	hung := replicas[0].pid
	p.withLoad(good, func() result {
		p.must(syscall.Kill(hung, syscall.SIGSTOP))
		gone := func() bool { return !slices.ContainsFunc(p.processes("SLIPWAY_RELEASE="), isProcess(hung)) }
		if !p.eventually(30*time.Second, gone) {
			t.Errorf("process %d is still there", hung)
		}
		return p.slipway("status")
	}, false)
	healthy := func() bool { return p.slipway("status", "--json", "--env", "prod").has(`"health": "healthy"`) }
	if !p.eventually(10*time.Second, healthy) || !p.slipway("status", "--json", "--env", "prod").has("a signal has stopped the process") {
		t.Errorf("status does not show a replica that was replaced, and why:\n%s", p.slipway("status", "--json", "--env", "prod"))
	}
}

// lostUID is the user of tests that lose a state folder: `slipway down --all` of the others
// would end their supervisors.
const lostUID = 54322

// A project is moved while its service runs, and then its state folder and the whole
// project are removed. What runs goes on, can be seen and ended from anywhere, and no
// release is blamed.
func TestTargets_L32_L33_LostFolder(t *testing.T) {
	t.Parallel()
	p := newTinyProject(t)
	if os.Getuid() == 0 {
		p.runAs(lostUID)
	}
	good := p.run().wantRun(0, "deployed").report.Release
	good = p.checkMovedProject(good)
	p.checkRemovedFolder(good)
}

// checkMovedProject moves the repository with its state folder. The next command in the
// new place takes the service over.
func (p *project) checkMovedProject(good string) (next string) {
	p.t.Helper()
	p.moveTo("moved")
	if r := p.slipway("ps", "-C", "/").wantExit(0); !r.has("state folder "+p.base+"/repo/.slipway was moved to "+p.home) || !r.has(good) {
		p.t.Errorf("ps does not show where the folder is:\n%s", r)
	}
	p.wantDeployed(good)
	p.changeRound("moved")
	next = p.run().wantRun(0, "deployed").report.Release
	p.wantDeployed(next)
	if all := p.supervisors(); len(all) != 1 || !strings.Contains(all[0].command, p.home) {
		p.t.Errorf("supervisors: %v, want one in %s", all, p.home)
	}
	p.moveTo("again")
	p.slipway("down", "--all").wantExit(0)
	p.wantNoSupervisor()
	return p.run("--deploy-only").wantRun(0, "deployed").report.Release
}

func (p *project) moveTo(name string) {
	p.t.Helper()
	from := p.dir
	p.dir, p.home = filepath.Join(p.base, name), filepath.Join(p.base, name, ".slipway")
	p.must(os.Rename(from, p.dir))
}

// checkRemovedFolder removes the state folder, and then everything.
func (p *project) checkRemovedFolder(good string) {
	p.t.Helper()
	url := p.status("prod").URL
	p.must(removeTree(p.home))
	if r := p.slipway("status", "--json", "--env", "prod"); !r.has("of the removed state folder still runs " + good + " at " + url) {
		p.t.Errorf("status does not mention what still runs:\n%s", r)
	}
	again := p.run().wantRun(0, "deployed").report.Release // on another port
	p.wantDeployed(again)
	if r := p.slipway("status", "--json", "--env", "prod"); !r.has("of the removed state folder still runs " + good + " at " + url) {
		p.t.Errorf("status does not mention it after the next run:\n%s", r)
	}
	p.must(removeTree(p.dir))
	p.must(os.Mkdir(p.dir, 0o755))
	if r := p.slipway("ps").wantExit(0); strings.Count(r.stdout, "was removed; end it with") != 2 || !r.has(again) || !r.has(url) {
		p.t.Errorf("ps does not show both supervisors:\n%s", r)
	}
	p.slipway("down", "--all").wantExit(0)
	p.wantNoSupervisor()
	p.slipway("down", "--all").wantExit(2) // no project, and no supervisor
}

// The disk of the state folder is full to the last byte. status shows what is deployed,
// rollback goes back, and the service can be ended.
func TestTargets_L18_DiskFull(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("a small disk of its own needs root")
	}
	t.Parallel()
	p := newTinyProject(t)
	p.must(os.MkdirAll(p.home, 0o755))
	p.must(syscall.Mount("tmpfs", p.home, "tmpfs", 0, "size=128m,mode=755"))
	t.Cleanup(func() {
		p.killAll()
		if err := syscall.Unmount(p.home, syscall.MNT_DETACH); err != nil {
			t.Errorf("unmount %s: %v", p.home, err)
		}
	})
	first := p.run().wantRun(0, "deployed").report.Release
	p.changeRound("second")
	second := p.run().wantRun(0, "deployed").report.Release
	fill(t, filepath.Join(p.home, "filler"))
	p.wantDeployed(second)
	if r := p.run(); r.code != 0 && (!strings.Contains(r.stderr+r.stdout, "space") || r.code != 1) {
		t.Errorf("a run on a full disk does not name it:\n%s", r)
	}
	p.wantDeployed(second)
	p.slipway("rollback", "--env", "prod", "--json").wantRun(0, "deployed")
	p.wantDeployed(first)
	fill(t, filepath.Join(p.home, "filler2"))
	p.wantDeployed(first)
	for _, supervisor := range p.supervisors() { // the reserve is used up
		p.slipway("down", "--pid", strconv.Itoa(supervisor.pid)).wantExit(0)
	}
	p.wantNoSupervisor()
}

// wantNoSupervisor checks that all have exited, which an idle one does after seconds.
func (p *project) wantNoSupervisor() {
	p.t.Helper()
	if !p.eventually(10*time.Second, func() bool { return len(p.supervisors()) == 0 }) {
		p.t.Errorf("down --all left %v", p.supervisors())
	}
}

func isProcess(pid int) func(process) bool { return func(p process) bool { return p.pid == pid } }

// has reports whether the result has the text in it.
func (r result) has(text string) bool { return strings.Contains(r.stdout, text) }
