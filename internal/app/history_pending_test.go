package app

import (
	"slices"
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest/fake"
	"github.com/slipway-cd/slipway/internal/redact"
)

// unsign marks every record of the history as one that no trusted key has signed.
func (m machine) unsign() port.History {
	m.t.Helper()
	h, err := m.shared.LoadHistory(m.t.Context(), "api", "prod")
	m.must(err)
	for i := range h.Deployments {
		h.Deployments[i].Unsigned = true
	}
	for i := range h.Releases {
		h.Releases[i].Unsigned = true
		if q := h.Releases[i].Quarantined; q != nil {
			q.Unsigned = true
		}
	}
	h.Models = []delivery.ModelVersion{{
		ModelRef: delivery.ModelRef{Group: "g", Version: 7, Digest: fake.Digest(7)}, Status: delivery.Approved, DecidedBy: "alice", DecidedAt: at(1), Unsigned: true,
	}}
	m.shared.History = fake.HistoryStore{}
	m.must(m.shared.SaveHistory(m.t.Context(), h))
	return h
}

// serve makes a release have the traffic.
func (m machine) serve(id delivery.ReleaseID) {
	m.t.Helper()
	req := port.DeployRequest{Service: "api", Environment: "prod", ID: id}
	_, err := m.shared.Stage(m.t.Context(), req, func(string) {})
	m.must(err)
	_, err = m.shared.Promote(m.t.Context(), req, func(string) {})
	m.must(err)
}

// wantRefused wants a rollback to be refused because of what is pending.
func (m machine) wantRefused(to delivery.ReleaseID) {
	m.t.Helper()
	_, err := m.planRollback(m.t.Context(), "prod", to, "errors")
	if !fault.Is(err, fault.Denied) || !strings.Contains(err.Error(), "pending") || !strings.Contains(fault.HintOf(err), "slipway history accept --env prod") {
		m.t.Errorf("rollback to %q: %v (%s), want it refused as pending", to, err, fault.HintOf(err))
	}
}

// TestSyncHistory_IgnoresForged: what no trusted key has signed, and does not have the
// traffic, is not imported at all: no release, no approval, no quarantine.
func TestSyncHistory_IgnoresForged(t *testing.T) {
	place := newSharedTarget()
	theirs, ours := newMachine(t, place), newMachine(t, place)
	first := theirs.recordDeployment("20260301-010000-aaaa", "1", 1, delivery.Serving)
	theirs.recordDeployment("20260301-030000-cccc", "3", 3, delivery.Serving)
	theirs.publishHistory()
	theirs.unsign()
	ours.must(ours.syncHistory(t.Context(), "prod"))
	ours.wantDeployed("")
	if n := ours.pending["prod"]; n != 5 {
		t.Errorf("%d pending records, want 2 deployments, 2 releases and a model", n)
	}
	if _, err := ours.deps.Models.Get(t.Context(), "g", 7); !fault.Is(err, fault.NotFound) {
		t.Errorf("the model is known (%v)", err)
	}
	ours.wantRefused("")
	if _, err := ours.planRollback(t.Context(), "prod", first, "errors"); err == nil {
		t.Error("a rollback to a forged release was planned")
	}
	mine := ours.recordDeployment("20260301-020000-bbbb", "2", 2, delivery.Serving) // what is known here does not change either
	ours.must(ours.syncHistory(t.Context(), "prod"))
	ours.wantDeployed(mine)
}

// TestSyncHistory_PendingUntilAccepted: the history of a Slipway that signed nothing. What
// it says serves does serve: a failed deployment returns to it, a rollback needs a person.
func TestSyncHistory_PendingUntilAccepted(t *testing.T) {
	place := newSharedTarget()
	theirs, ours := newMachine(t, place), newMachine(t, place)
	first := theirs.recordDeployment("20260301-010000-aaaa", "1", 1, delivery.Serving)
	bad := theirs.recordDeployment("20260301-020000-bbbb", "2", 2, delivery.RolledBack)
	last := theirs.recordDeployment("20260301-030000-cccc", "3", 3, delivery.Serving)
	theirs.publishHistory()
	theirs.unsign()
	ours.serve(last)
	for range 2 {
		ours.must(ours.syncHistory(t.Context(), "prod"))
		ours.wantDeployed(last)
	}
	for _, id := range []delivery.ReleaseID{first, bad, last} {
		if r, err := ours.deps.Releases.Get(t.Context(), id); err != nil || !r.Unsigned || r.Quarantined != nil {
			t.Errorf("release %s: %+v, %v, want it unsigned, and not quarantined", id, r, err)
		}
	}
	if m, err := ours.deps.Models.Get(t.Context(), "g", 7); err != nil || m.Status != delivery.PendingApproval || !m.Unsigned {
		t.Errorf("model: %+v, %v, want it pending", m, err)
	}
	ours.wantRefused("")
	ours.wantRefused(first)
	ours.deps.Reference = func(i delivery.Image) string { return i.Repository }
	st, err := ours.status(t.Context(), "prod")
	if err != nil || !st.Unsigned || !slices.ContainsFunc(st.Notes, func(n string) bool { return strings.Contains(n, "pending: no trusted key has signed 8 records") }) {
		t.Errorf("status: unsigned %v, notes %q, %v", st.Unsigned, st.Notes, err)
	}

	ours.redactor = redact.FromEnviron(nil)
	ours.engine = ours.newEngine()
	out, err := ours.acceptHistory(t.Context(), "prod")
	if err != nil || out.Accepted != 8 || out.Pending != 0 {
		t.Fatalf("accepted %d, pending %d, %v", out.Accepted, out.Pending, err)
	}
	ours.wantDeployed(last)
	before := func(d delivery.Deployment, _ delivery.ReleaseRecord) (bool, error) { return d.Release != last, nil }
	if _, r, err := ours.findGood(t.Context(), "prod", before); err != nil || r == nil || r.ID != first {
		t.Errorf("a rollback goes to %+v, %v, want %s", r, err, first)
	}
	if r, err := ours.deps.Releases.Get(t.Context(), bad); err != nil || r.Unsigned || r.Quarantined == nil {
		t.Errorf("release %s: %+v, %v, want it quarantined", bad, r, err)
	}
	if m, err := ours.deps.Models.Get(t.Context(), "g", 7); err != nil || m.Status != delivery.Approved || m.Unsigned {
		t.Errorf("model: %+v, %v, want it approved", m, err)
	}
	h, err := place.LoadHistory(t.Context(), "api", "prod")
	if err != nil || unsignedRecords(h) != 0 {
		t.Errorf("%d records are still pending in the target (%v)", unsignedRecords(h), err)
	}
	if out, err := ours.acceptHistory(t.Context(), "prod"); err != nil || out.Accepted != 0 {
		t.Errorf("accepted again: %+v, %v", out, err)
	}
}

// TestAcceptHistory_Refuses: what a run is writing, and what others would not believe.
func TestAcceptHistory_Refuses(t *testing.T) {
	place := newSharedTarget()
	theirs, ours := newMachine(t, place), newMachine(t, place)
	theirs.recordDeployment("20260301-010000-aaaa", "1", 1, delivery.Serving)
	theirs.recordDeployment("20260301-040000-dddd", "4", 4, delivery.Deploying)
	theirs.publishHistory()
	theirs.unsign()
	if _, err := ours.acceptHistory(t.Context(), "prod"); !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), "20260301-040000-dddd") {
		t.Errorf("while a run deploys: %v", err)
	}
	ours.deps.Targets["local"] = place.Target
	if _, err := ours.acceptHistory(t.Context(), "prod"); !fault.Is(err, fault.Invalid) {
		t.Errorf("of a target without a history: %v", err)
	}
}
