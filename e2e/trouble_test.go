//go:build e2e

package e2e

import (
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"
)

// wantBlameless checks that a run failed because of the machine, and that, once the
// trouble is over, the same commit is delivered without a flag.
func (p *project) wantBlameless(good string, r result, over func(), says ...string) {
	p.t.Helper()
	p.wantNoQuarantine(good, r, says...)
	over()
	p.wantDeployed(p.run().wantRun(0, "deployed").report.Release)
}

// wantNoQuarantine checks that a run failed, production is as before, and nothing is
// quarantined.
func (p *project) wantNoQuarantine(good string, r result, says ...string) {
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
	// A replica of another test may have it for a moment. If it can't be taken for
	// long, the service of another test has it already.
	var taken net.Listener
	if p.eventually(5*time.Second, func() (ok bool) {
		var err error
		taken, err = net.Listen("tcp", strings.TrimPrefix(old, "http://"))
		return err == nil
	}) {
		defer taken.Close()
	}
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

// The registry is away when an approved release is deployed.
func TestTrouble_RegistryAway(t *testing.T) {
	t.Parallel()
	p := newTinyProject(t)
	handler := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	address, closeRegistry := serveAt(t, "127.0.0.1:0", handler)
	p.edit("slipway.yaml", "repository: tiny", "repository: "+address+"/tiny")
	p.edit("slipway.yaml", "bake: 300ms", "bake: 300ms, approvals: 1")
	p.commit("a registry, and approvals")
	approve := func() result {
		return p.slipway("approve", p.run().wantRun(4, "waiting").report.Run, "--json", "--by", "ann", "--why", "go")
	}
	good := approve().wantRun(0, "deployed").report.Release
	p.setBehaviour("good in another image")
	waits := p.run().wantRun(4, "waiting")
	closeRegistry()
	r := p.slipway("approve", waits.report.Run, "--json", "--by", "ann", "--why", "go")
	p.wantNoQuarantine(good, r, address)
	serveAt(t, address, handler)
	p.wantDeployed(approve().wantRun(0, "deployed").report.Release)
}

// serveAt serves until the test ends, or until it is closed.
func serveAt(t *testing.T, address string, handler http.Handler) (at string, closeServer func()) {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { server.Close() })
	return l.Addr().String(), func() { server.Close() }
}

// The disk of the local target is full when its state is saved, and when an image is
// unpacked.
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
	p.changeRound("same image") // its state can't be saved
	p.wantBlameless(good, p.run(), func() { p.must(os.Remove(filler)) }, "space")
	good = p.status("prod").Release
	fill(t, filler)
	p.setBehaviour("good in another image")
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
