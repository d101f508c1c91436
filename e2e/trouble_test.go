//go:build e2e

package e2e

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// wantBlameless checks that a run failed because of the machine: production is as
// before, nothing is quarantined, and, once the trouble is over, the same commit is
// delivered without a flag.
func (p *project) wantBlameless(good string, r result, over func(), says ...string) {
	p.t.Helper()
	if r.code != 1 && r.code != 3 {
		p.t.Errorf("exit %d, want 1 or 3\n%s", r.code, r)
	}
	for _, word := range says {
		if !strings.Contains(r.report.Cause, word) {
			p.t.Errorf("cause = %q, want %q in it", r.report.Cause, word)
		}
	}
	if st := p.wantDeployed(good); len(st.Quarantined) > 0 {
		p.t.Errorf("quarantined: %v, want no release: the machine was to blame", st.Quarantined)
	}
	over()
	p.wantDeployed(p.run().wantRun(0, "deployed").report.Release)
}

// changeRound commits another release of the same image.
func (p *project) changeRound(round string) {
	p.t.Helper()
	text := p.read(filepath.Join(p.dir, "slipway.yaml"))
	_, rest, _ := strings.Cut(text, `ROUND: "`)
	before, _, _ := strings.Cut(rest, `"`)
	p.edit("slipway.yaml", `ROUND: "`+before+`"`, `ROUND: "`+round+`"`)
	p.commit("round " + round)
}

// The port that the user has set belongs to another process.
func TestTrouble_PortInUse(t *testing.T) {
	t.Parallel()
	p := newTinyProject(t)
	good := p.run().wantRun(0, "deployed").report.Release
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	p.must(err)
	defer taken.Close()
	port := taken.Addr().(*net.TCPAddr).Port
	p.edit("slipway.yaml", "push: main}, target: {local: {}}", fmt.Sprintf("push: main}, target: {local: {port: %d}}", port))
	p.changeRound("port")
	p.wantBlameless(good, p.run(), func() { taken.Close() }, fmt.Sprint(port), "in use", fmt.Sprintf("process %d", os.Getpid()))
	if url := p.status("prod").URL; !strings.HasSuffix(url, fmt.Sprintf(":%d", port)) {
		t.Errorf("url = %s, want port %d", url, port)
	}
}

// The port that Slipway chose belongs to another process after the supervisor was
// killed: the service moves to another one.
func TestTrouble_ChosenPortInUse(t *testing.T) {
	t.Parallel()
	p := newTinyProject(t)
	p.run().wantRun(0, "deployed")
	old := p.status("prod").URL
	p.killSupervisors()
	taken, err := net.Listen("tcp", strings.TrimPrefix(old, "http://"))
	p.must(err)
	defer taken.Close()
	p.changeRound("moved")
	p.wantDeployed(p.run().wantRun(0, "deployed").report.Release)
	if url := p.status("prod").URL; url == old {
		t.Errorf("url = %s, want another one", url)
	}
}

// The supervisor is killed while a release is verified, and while it bakes.
func TestTrouble_SupervisorKilled(t *testing.T) {
	t.Parallel()
	p := newTinyProject(t)
	p.edit("slipway.yaml", "bake: 300ms", "bake: 3s")
	p.commit("bake longer")
	good := p.run().wantRun(0, "deployed").report.Release
	for _, step := range []string{"deploy", "verify", "watch"} {
		p.changeRound(step)
		s := p.start("run", "--env", "prod", "--json")
		s.waitForStep(step)
		p.killSupervisors()
		r := s.wait()
		if r.code == 0 { // the step went on with a new supervisor
			good = r.report.Release
			p.wantDeployed(good)
			continue
		}
		p.wantBlameless(good, r, func() {}, "supervisor")
		good = p.status("prod").Release
	}
}

// killSupervisors kills them, and waits until they are gone. There may be others
// then.
func (p *project) killSupervisors() {
	p.t.Helper()
	killed := map[int]bool{}
	for _, proc := range p.supervisors() {
		p.must(syscall.Kill(proc.pid, syscall.SIGKILL))
		killed[proc.pid] = true
	}
	left := func(proc process) bool { return killed[proc.pid] }
	if !p.eventually(5*time.Second, func() bool { return !slices.ContainsFunc(p.supervisors(), left) }) {
		p.t.Fatal("the supervisor was killed and is still there")
	}
}

// The disk of the local target is full when the image is unpacked.
func TestTrouble_DiskFull(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("a small disk of its own needs root")
	}
	t.Parallel()
	p := newTinyProject(t)
	disk := filepath.Join(p.home, "local")
	p.must(os.MkdirAll(disk, 0o755))
	p.must(syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=64m,mode=755"))
	t.Cleanup(func() {
		p.killAll()
		if err := syscall.Unmount(disk, syscall.MNT_DETACH); err != nil {
			t.Errorf("unmount %s: %v", disk, err)
		}
	})
	good := p.run().wantRun(0, "deployed").report.Release
	filler := filepath.Join(disk, "filler")
	fill(t, filler)
	p.write("behaviour.go", "package main\n\nconst behaviour = \"good\" // another image\n\nvar build = 2\n")
	p.commit("another image")
	p.wantBlameless(good, p.run(), func() { p.must(os.Remove(filler)) }, "space")
}

// fill writes to the file until the disk is full.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for block := make([]byte, 4096); ; {
		if _, err = f.Write(block); err != nil {
			break
		}
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("error = %v, want %v", err, syscall.ENOSPC)
	}
}
