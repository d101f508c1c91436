//go:build e2e

package e2e

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// A POST that kills its replica gets 502 and kills no other one, and the users of
// the others lose nothing.
func TestTargets_L26_PoisonRequest(t *testing.T) {
	t.Parallel()
	p := newTinyProject(t)
	p.edit("slipway.yaml", "replicas: 2", "replicas: 3")
	p.setBehaviour("poison")
	p.run().wantRun(0, "deployed")
	url := p.status("prod").URL
	for range 9 { // the connections to all replicas are used ones
		predict(url, 1)
	}
	others := startLoad(url, 20) // its n stays below 13 until the end
	if status, body := predict(url, 13); status != http.StatusBadGateway {
		t.Errorf("the request that kills its replica: status %d, want 502: %s", status, body)
	}
	time.Sleep(400 * time.Millisecond) // traffic while the replica is replaced
	if asked, failures := others.stopAndCount(); len(failures) > 0 {
		t.Errorf("%d of %d other requests failed: %s", len(failures), asked, failures[0])
	}
	var restarts int
	for _, r := range p.status("prod").Replicas {
		restarts += r.Restarts
	}
	if restarts != 1 {
		t.Errorf("%d restarts after one request that kills its replica, want 1", restarts)
	}
}

// A release that breaks off every fifth request is seen by the watch, and rolled back.
func TestTargets_L26_BrokenOffRequests(t *testing.T) {
	t.Parallel()
	p := newTinyProject(t)
	good := p.run().wantRun(0, "deployed").report.Release
	p.setBehaviour("breaks off")
	r := p.withLoad(good, func() result { return p.run().wantRun(3, "rolled_back") }, true)
	if s := r.step("watch"); s.Outcome != "failed" || !strings.Contains(r.report.Cause, "error rate") {
		t.Errorf("watch = %+v, cause = %q, want an error rate", s, r.report.Cause)
	}
	p.wantRolledBack(good, r)
}
