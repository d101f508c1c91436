package app

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/adapter/ko"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes"
	"github.com/slipway-cd/slipway/internal/adapter/local"
	"github.com/slipway-cd/slipway/internal/config"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/extension"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest/fake"
	"github.com/slipway-cd/slipway/internal/record/sqlite"
	"github.com/slipway-cd/slipway/internal/step/history"
)

const project = `version: 1
service: api
image: {build: {go: ./cmd/api}, repository: api}
environments:
  prod: {target: {local: {}}}
`

// machine is a Slipway with records of its own that delivers to a shared target.
type machine struct {
	*session
	t      *testing.T
	shared *fake.TargetWithHistory
	store  *sqlite.Store
}

// kinds are those that the tests' projects name.
func kinds() extension.Set {
	return extension.Set{
		Targets:  []extension.Target{local.Extension(), kubernetes.Extension()},
		Builders: []extension.Builder{ko.Extension()},
	}
}

func newMachine(t *testing.T, shared *fake.TargetWithHistory) machine {
	t.Helper()
	store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "slipway.db"), "retail", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	p, err := config.Parse(config.FileName, []byte(project), nil, kinds())
	if err != nil {
		t.Fatal(err)
	}
	s := &session{app: &App{Clock: time.Now}, project: p, deps: Dependencies{
		Runs: store.Runs(), Cache: store.Cache(), Outbox: store.Outbox(), Models: store.Models(), Releases: store.Releases(),
		Deployments: store.Deployments(), Approvals: store.Approvals(), Targets: map[string]port.Target{"local": shared},
	}}
	return machine{s, t, shared, store}
}

// at is a moment of the story.
func at(hour int) time.Time { return time.Date(2026, 3, 1, hour, 0, 0, 0, time.UTC) }

// recordDeployment records a deployment that came to that end; Serving: it still serves.
func (m machine) recordDeployment(run delivery.RunID, commit string, hour int, end delivery.DeploymentState) delivery.ReleaseID {
	m.t.Helper()
	ctx := m.t.Context()
	rel, err := m.deps.Releases.Save(ctx, delivery.Release{
		Schema: 1, Service: "api", Image: delivery.Image{Repository: "api", Digest: delivery.DigestOf([]byte(commit))},
		Workload: delivery.Workload{Health: "/health"}, Manifests: fake.Digest(2), FormOne: delivery.FormOne{Commit: commit},
	}, delivery.Origin{Run: run})
	m.must(err)
	d, err := m.deps.Deployments.Begin(ctx, delivery.Deployment{Environment: "prod", Release: rel.ID, Run: run, By: "ann", StartedAt: at(hour)})
	m.must(err)
	switch end {
	case delivery.Deploying:
	case delivery.Serving:
		m.must(m.deps.Deployments.Accept(ctx, d.ID, at(hour).Add(time.Minute)))
	case delivery.RolledBack:
		m.must(m.deps.Releases.Quarantine(ctx, delivery.Quarantine{Release: rel.ID, Environment: "prod", Reason: "slow", Since: at(hour), Run: run}))
		fallthrough
	default:
		m.must(m.deps.Deployments.End(ctx, d.ID, end, "slow", at(hour).Add(time.Minute)))
	}
	return rel.ID
}

// publishHistory writes its records beside what serves.
func (m machine) publishHistory() {
	m.t.Helper()
	c := port.History{Service: "api", Environment: "prod"}
	var err error
	c.Deployments, _, err = m.deps.Deployments.List(m.t.Context(), port.DeploymentFilter{Environment: "prod"}, port.Page{})
	m.must(err)
	c.Releases, _, err = m.deps.Releases.List(m.t.Context(), port.ReleaseFilter{}, port.Page{})
	m.must(err)
	m.must(m.shared.SaveHistory(m.t.Context(), c))
}

func (m machine) must(err error) {
	m.t.Helper()
	if err != nil {
		m.t.Fatal(err)
	}
}

func (m machine) wantDeployed(want delivery.ReleaseID) {
	m.t.Helper()
	d, ok, err := m.deps.Deployments.Current(m.t.Context(), "prod")
	if err != nil || d.Release != want || ok != (want != "") {
		m.t.Errorf("deployed release = %q, %v, want %q", d.Release, err, want)
	}
}

func newSharedTarget() *fake.TargetWithHistory {
	return &fake.TargetWithHistory{Target: &fake.Target{}}
}

// TestSyncHistory_OfPreview: a plan goes by what the target's history has, and leaves
// the records as they are.
func TestSyncHistory_OfPreview(t *testing.T) {
	place := newSharedTarget()
	theirs, ours := newMachine(t, place), newMachine(t, place)
	last := theirs.recordDeployment("20260301-010000-aaaa", "1", 1, delivery.Serving)
	theirs.publishHistory()
	own := ours.deps
	closed := 0
	ours.preview, ours.scratch = true, t.TempDir()
	ours.deps.Close = func() error { closed++; return nil }
	ours.deps.CopyRecords = ours.store.Copy
	ours.app.Factory = func(ctx context.Context, w Workspace) (Dependencies, error) {
		copied, err := sqlite.Open(ctx, w.Records, "retail", nil)
		parts := own
		parts.Models, parts.Releases, parts.Deployments = copied.Models(), copied.Releases(), copied.Deployments()
		parts.Close = func() error { closed++; return copied.Close() }
		return parts, err
	}
	for range 2 {
		ours.must(ours.syncHistory(t.Context(), "prod"))
		ours.wantDeployed(last)
	}
	ours.must(ours.deps.Close())
	if closed != 2 {
		t.Errorf("%d of 2 stores were closed", closed)
	}
	ours.deps = own
	ours.wantDeployed("")
}

// TestSyncHistory_ImportsEverythingOnce: new records learn the whole story, once.
func TestSyncHistory_ImportsEverythingOnce(t *testing.T) {
	place := newSharedTarget()
	theirs, ours := newMachine(t, place), newMachine(t, place)
	ours.must(ours.syncHistory(t.Context(), "prod")) // nothing is told yet
	first := theirs.recordDeployment("20260301-010000-aaaa", "1", 1, delivery.Serving)
	bad := theirs.recordDeployment("20260301-020000-bbbb", "2", 2, delivery.RolledBack)
	last := theirs.recordDeployment("20260301-030000-cccc", "3", 3, delivery.Serving)
	theirs.recordDeployment("20260301-040000-dddd", "4", 4, delivery.Deploying)
	theirs.publishHistory()
	for range 2 {
		ours.must(ours.syncHistory(t.Context(), "prod"))
		ours.wantDeployed(last)
	}
	history, _, err := ours.deps.Deployments.List(t.Context(), port.DeploymentFilter{Environment: "prod"}, port.Page{})
	ours.must(err)
	want := []struct {
		release delivery.ReleaseID
		state   delivery.DeploymentState
	}{{last, delivery.Serving}, {bad, delivery.RolledBack}, {first, delivery.Replaced}}
	if len(history) != len(want) {
		t.Fatalf("history = %+v, want %d deployments, without the one in progress", history, len(want))
	}
	for i, w := range want {
		if d := history[i]; d.Release != w.release || d.State != w.state || d.By != "ann" {
			t.Errorf("deployment %d: release %s, state %s, by %s, want %s, %s, ann", i, d.Release, d.State, d.By, w.release, w.state)
		}
	}
	if d := history[1]; d.Reason != "slow" || !d.EndedAt.Equal(at(2).Add(time.Minute)) {
		t.Errorf("rolled back deployment: reason %q, ended %v, want %q, %v", d.Reason, d.EndedAt, "slow", at(2).Add(time.Minute))
	}
	rel, err := ours.deps.Releases.Get(t.Context(), bad)
	if err != nil || rel.Quarantined == nil || rel.Quarantined.Reason != "slow" {
		t.Errorf("quarantine of %s = %+v, %v, want reason %q", bad, rel.Quarantined, err, "slow")
	}
}

// TestSyncHistory_KeepsFieldsOfNewerProgram: what another machine with a newer program
// wrote is imported and published again as it was.
func TestSyncHistory_KeepsFieldsOfNewerProgram(t *testing.T) {
	const newer delivery.Unknown = `"newer":{"x":1}`
	theirs := newMachine(t, newSharedTarget())
	theirs.recordDeployment("20260301-010000-aaaa", "1", 1, delivery.Serving)
	theirs.recordDeployment("20260301-020000-bbbb", "2", 2, delivery.RolledBack)
	theirs.publishHistory()
	want, err := theirs.shared.LoadHistory(t.Context(), "api", "prod")
	theirs.must(err)
	for i := range want.Deployments {
		want.Deployments[i].Unknown, want.Deployments[i].Inputs.Unknown = newer, newer
		want.Deployments[i].Actor = delivery.Actor{Name: "ann", Unknown: newer}
	}
	for i := range want.Releases {
		want.Releases[i].Unknown, want.Releases[i].Origin.Unknown = newer, newer
		if q := want.Releases[i].Quarantined; q != nil {
			q.Unknown = newer
		}
	}
	place := newSharedTarget()
	theirs.must(place.SaveHistory(t.Context(), want))
	ours := newMachine(t, place)
	ours.must(ours.syncHistory(t.Context(), "prod"))
	records := history.Records{Deployments: ours.deps.Deployments, Releases: ours.deps.Releases}
	ours.must(records.Publish(t.Context(), place, "api", "prod"))
	got, err := place.LoadHistory(t.Context(), "api", "prod")
	ours.must(err)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("published again (-as it was +now):\n%s", diff)
	}
	for _, r := range want.Releases {
		got, err := ours.deps.Releases.Get(t.Context(), r.ID)
		if err != nil || got.Unknown != newer || got.Quarantined != nil && got.Quarantined.Unknown != newer {
			t.Errorf("imported %+v, %v, want it with the newer program's fields", got, err)
		}
	}
}

// TestSyncHistory_AlternatingMachines: both deliver in turn.
func TestSyncHistory_AlternatingMachines(t *testing.T) {
	place := newSharedTarget()
	theirs, ours := newMachine(t, place), newMachine(t, place)
	ours.recordDeployment("20260301-010000-aaaa", "1", 1, delivery.Serving)
	ours.publishHistory()
	theirs.must(theirs.syncHistory(t.Context(), "prod"))
	second := theirs.recordDeployment("20260301-020000-bbbb", "2", 2, delivery.Serving)
	theirs.publishHistory()
	ours.must(ours.syncHistory(t.Context(), "prod"))
	ours.wantDeployed(second)
	third := ours.recordDeployment("20260301-030000-cccc", "3", 3, delivery.Serving)
	ours.publishHistory()
	theirs.must(theirs.syncHistory(t.Context(), "prod"))
	theirs.wantDeployed(third)
	if history, _, _ := theirs.deps.Deployments.List(t.Context(), port.DeploymentFilter{Environment: "prod"}, port.Page{}); len(history) != 3 {
		t.Errorf("history on the other machine = %+v, want 3 deployments", history)
	}
}

// TestSyncHistory_IgnoresOlder: what was before what serves here does not come again.
func TestSyncHistory_IgnoresOlder(t *testing.T) {
	place := newSharedTarget()
	theirs, ours := newMachine(t, place), newMachine(t, place)
	theirs.recordDeployment("20260301-010000-aaaa", "1", 1, delivery.Serving)
	theirs.publishHistory()
	mine := ours.recordDeployment("20260301-050000-bbbb", "5", 5, delivery.Serving)
	ours.must(ours.syncHistory(t.Context(), "prod"))
	ours.wantDeployed(mine)
}

// TestSyncHistory_RefusesTamperedRecords: a record that is not of the release it is told for is not
// taken over.
func TestSyncHistory_RefusesTamperedRecords(t *testing.T) {
	place := newSharedTarget()
	theirs, ours := newMachine(t, place), newMachine(t, place)
	theirs.recordDeployment("20260301-010000-aaaa", "1", 1, delivery.Serving)
	theirs.publishHistory()
	c, err := place.LoadHistory(t.Context(), "api", "prod")
	ours.must(err)
	c.Releases[0].Release.Image.Digest = fake.Digest(66)
	forged := newSharedTarget()
	ours.must(forged.SaveHistory(t.Context(), c))
	ours.deps.Targets["local"] = forged
	if err := ours.syncHistory(t.Context(), "prod"); !fault.Is(err, fault.Corrupt) {
		t.Errorf("error = %v, want one of kind %s", err, fault.Corrupt)
	}
	ours.wantDeployed("")
	c.Releases = nil // told no more
	untold := newSharedTarget()
	ours.must(untold.SaveHistory(t.Context(), c))
	ours.deps.Targets["local"] = untold
	ours.must(ours.syncHistory(t.Context(), "prod"))
	ours.wantDeployed("")
}

func TestSyncHistory_Errors(t *testing.T) {
	m := newMachine(t, newSharedTarget())
	why := errors.New("no")
	m.shared.History.Fail = func(string) error { return why }
	if err := m.syncHistory(t.Context(), "prod"); !errors.Is(err, why) {
		t.Errorf("error = %v, want %v", err, why)
	}
	m.deps.Targets["local"] = m.shared.Target // keeps no history
	m.must(m.syncHistory(t.Context(), "prod"))
	if err := m.syncHistory(context.Background(), "nowhere"); !fault.Is(err, fault.Invalid) && !fault.Is(err, fault.NotFound) {
		t.Errorf("unknown environment: error = %v, want invalid or not found", err)
	}
}
