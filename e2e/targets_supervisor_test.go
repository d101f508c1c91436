//go:build e2e

package e2e

import (
	"slices"
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

func isProcess(pid int) func(process) bool { return func(p process) bool { return p.pid == pid } }

// has reports whether the result has the text in it.
func (r result) has(text string) bool { return strings.Contains(r.stdout, text) }
