//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// holdTests makes the test step report that it started, and wait until open is called.
func (p *project) holdTests() (open func()) {
	p.t.Helper()
	gate := filepath.Join(p.base, "gate")
	p.edit("slipway.yaml", `run: echo "hello, the token is ${E2E_TOKEN:-none}"`,
		fmt.Sprintf(`run: 'touch %s/here-$WHO; while [ ! -e %s ]; do sleep 0.02; done'`, p.base, gate))
	p.edit("slipway.yaml", `env: {E2E_TOKEN: "${E2E_TOKEN}"}
    inputs: ["*.go", go.mod]`, `env: {WHO: "${E2E_WHO}"}
    inputs: ["*.go", go.mod]`)
	p.commit("a barrier")
	return func() { p.must(os.WriteFile(gate, nil, 0o644)) }
}

func (p *project) startAs(who string, args ...string) *started {
	p.t.Helper()
	before := p.env
	defer func() { p.env = before }()
	p.env = append(append([]string(nil), before...), "SLIPWAY_ACTOR="+who, "E2E_WHO="+who)
	return p.start(args...)
}

func ofKind(k string) func(runEvent) bool { return func(e runEvent) bool { return e.Kind == k } }

// Runs of one environment run one after the other in order of arrival, and a waiting run
// names the one that it waits for.
func TestQueue_Order(t *testing.T) {
	t.Parallel()
	for _, n := range []int{2, 5} {
		t.Run(fmt.Sprint(n, " runs"), func(t *testing.T) {
			t.Parallel()
			p := newTinyProject(t)
			open := p.holdTests()
			var runs []*started
			for i := range n {
				p.edit("slipway.yaml", fmt.Sprintf("ROUND: \"%d\"", i), fmt.Sprintf("ROUND: \"%d\"", i+1))
				p.commit("round")
				s := p.startAs(fmt.Sprintf("person%d", i), "run", "--env", "prod", "--json")
				p.waitForQueue(s, i)
				runs = append(runs, s)
			}
			open()
			p.wantOrdered(runs)
		})
	}
}

// waitForQueue waits until the run has started (the first) or is queued.
func (p *project) waitForQueue(s *started, place int) {
	p.t.Helper()
	if place == 0 {
		s.waitForStep("test.hello")
		return
	}
	waits, ok := s.waitForEvent(func(e runEvent) bool { return e.Kind == "run.queued" && e.Text != "" })
	if !ok {
		p.t.Fatalf("run %d did not queue:\n%s", place, s.wait())
	}
	if !strings.Contains(waits.Text, "person") {
		p.t.Errorf("run %d is not told for whom it waits: %q", place, waits.Text)
	}
}

func (p *project) wantOrdered(runs []*started) {
	p.t.Helper()
	var last time.Time
	release := ""
	for i, s := range runs {
		r := s.wait().wantRun(0, "deployed")
		begun, _ := s.waitForEvent(func(e runEvent) bool { return e.Kind == "step.started" })
		ended, ok := s.waitForEvent(ofKind("run.finished"))
		if !ok || !begun.Time.After(last) {
			p.t.Errorf("run %d began at %v, want it after the end of the run before, %v", i, begun.Time, last)
		}
		last, release = ended.Time, r.report.Release
	}
	st := p.wantDeployed(release)
	if len(st.History) != len(runs) {
		p.t.Errorf("%d runs made %d deployments", len(runs), len(st.History))
	}
	for i, d := range st.History {
		if want := runs[len(runs)-1-i].wait().report.Release; d.Release != want {
			p.t.Errorf("deployment %d from the end is %s, want %s", i, d.Release, want)
		}
	}
}

// Runs of different environments do not wait for each other. Each waits until the other
// has started, so in a common queue neither would end.
func TestQueue_EnvironmentsAreIndependent(t *testing.T) {
	t.Parallel()
	p := newTinyProject(t)
	open := p.holdTests()
	prod := p.startAs("ann", "run", "--env", "prod", "--json")
	dev := p.startAs("ben", "run", "--env", "dev", "--json")
	both := p.eventually(commandTimeout, func() bool {
		_, err1 := os.Stat(filepath.Join(p.base, "here-ann"))
		_, err2 := os.Stat(filepath.Join(p.base, "here-ben"))
		return err1 == nil && err2 == nil
	})
	open()
	r1, r2 := prod.wait(), dev.wait()
	if !both {
		t.Fatalf("the runs did not happen at the same time\n%s%s", r1, r2)
	}
	p.wantDeployedIn("prod", r1.wantRun(0, "deployed").report.Release)
	p.wantDeployedIn("dev", r2.wantRun(0, "deployed").report.Release)
}
