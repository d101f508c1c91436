package app

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/config"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/plan"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest/fake"
	"github.com/slipway-cd/slipway/internal/record"
)

const stagedProject = project + `  eu: {from: prod, target: {local: {}}}
`

// commitOf is the commit with a letter, whose tree is not that of other letters.
func commitOf(letter string) delivery.Commit {
	return delivery.Commit{SHA: strings.Repeat(letter, 40), Tree: strings.Repeat(letter, 39) + "0"}
}

// diffs is a repository that knows what differs between some trees.
type diffs struct {
	port.Source
	changed map[string][]string // by the first tree
}

func (d diffs) Changed(_ context.Context, from, _ string) ([]string, error) {
	if paths, ok := d.changed[from]; ok {
		return paths, nil
	}
	return nil, fault.New(fault.NotFound, "no such tree")
}

func newStagedMachine(t *testing.T) machine {
	t.Helper()
	m := newMachine(t, newSharedTarget())
	p, err := config.Parse(config.FileName, []byte(stagedProject), nil, kinds())
	m.must(err)
	m.project, m.deps.Source = p, diffs{}
	return m
}

// accept records that prod accepted a release of the commit, at an hour.
func (m machine) accept(c delivery.Commit, hour int) delivery.ReleaseID {
	m.t.Helper()
	ctx := m.t.Context()
	run := delivery.RunID("20260301-0" + string(rune('0'+hour)) + "0000-aaaa")
	rel, err := m.deps.Releases.Save(ctx, delivery.Release{
		Schema: delivery.ReleaseForm, Service: "api", Image: delivery.Image{Repository: "api", Digest: fake.Digest(hour)},
		Workload: delivery.Workload{Health: "/health"}, Manifests: fake.Digest(2),
	}, delivery.Origin{Run: run, Commit: c.SHA, Tree: c.Tree, Dirty: c.Dirty})
	m.must(err)
	d, err := m.deps.Deployments.Begin(ctx, delivery.Deployment{Environment: "prod", Release: rel.ID, Run: run, By: "ann", StartedAt: at(hour)})
	m.must(err)
	m.must(m.deps.Deployments.Accept(ctx, d.ID, at(hour)))
	return rel.ID
}

// acceptedFor returns what a promotion of the commit finds: the releases, and for each
// whether it is of the commit, differs in paths, or is not known to.
func (m machine) acceptedFor(c delivery.Commit) []string {
	m.t.Helper()
	f := plan.Facts{Commit: c}
	m.must(m.findAccepted(m.t.Context(), &f, "eu"))
	var found []string
	for _, a := range f.Accepted {
		text := string(a.Release.ID) + " of " + a.Commit[:1]
		switch {
		case a.Changed == nil:
			text += ", not known"
		case len(a.Changed.Paths) > 0:
			text += ", but for " + strings.Join(a.Changed.Paths, " ")
		}
		found = append(found, text)
	}
	return found
}

func TestFindAccepted(t *testing.T) {
	t.Run("nothing", func(t *testing.T) {
		if got := newStagedMachine(t).acceptedFor(commitOf("a")); got != nil {
			t.Errorf("accepted %q, want nothing", got)
		}
	})
	m := newStagedMachine(t)
	a, b := m.accept(commitOf("a"), 1), m.accept(commitOf("b"), 2)
	merged := commitOf("b")
	merged.SHA = strings.Repeat("e", 40)
	m.recordDeployment("20260301-030000-bbbb", strings.Repeat("f", 40), 3, delivery.RolledBack)
	for name, c := range map[string]struct {
		commit delivery.Commit
		want   []string
	}{
		"the newest":             {commitOf("b"), []string{string(b) + " of b"}},
		"an older one":           {commitOf("a"), []string{string(b) + " of b, not known", string(a) + " of a"}},
		"the same files, merged": {merged, []string{string(b) + " of b"}},
		"unknown":                {commitOf("c"), []string{string(b) + " of b, not known", string(a) + " of a, not known"}},
		"rolled back":            {commitOf("f"), []string{string(b) + " of b, not known", string(a) + " of a, not known"}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, m.acceptedFor(c.commit)); diff != "" {
				t.Errorf("accepted (-want +got):\n%s", diff)
			}
		})
	}
	t.Run("changed since the newest", func(t *testing.T) {
		m.deps.Source = diffs{changed: map[string][]string{commitOf("b").Tree: {"README.md"}}}
		want := []string{string(b) + " of b, but for README.md", string(a) + " of a, not known"}
		if diff := cmp.Diff(want, m.acceptedFor(commitOf("c"))); diff != "" {
			t.Errorf("accepted (-want +got):\n%s", diff)
		}
	})
	t.Run("skipped there", func(t *testing.T) {
		m.skip("prod", commitOf("d"), a)
		want := []string{string(b) + " of b, but for README.md", string(a) + " of a"}
		if diff := cmp.Diff(want, m.acceptedFor(commitOf("d"))); diff != "" {
			t.Errorf("accepted (-want +got):\n%s", diff)
		}
	})
	t.Run("imported from the target's history", func(t *testing.T) {
		m.publishHistory()
		other := newStagedMachine(t)
		other.deps.Targets = map[string]port.Target{"local": m.shared}
		if diff := cmp.Diff([]string{string(b) + " of b"}, other.acceptedFor(commitOf("b"))); diff != "" {
			t.Errorf("accepted (-want +got):\n%s", diff)
		}
	})
}

// skip records a run for the commit that was skipped, because what is deployed there
// has the same content.
func (m machine) skip(env delivery.Environment, c delivery.Commit, deployed delivery.ReleaseID) {
	m.t.Helper()
	ctx := m.t.Context()
	r := record.Run{RunSummary: record.RunSummary{ID: "20260301-090000-cccc", Environment: env, By: delivery.Actor{Name: "ann"}, CreatedAt: at(9)}, Plan: plan.Plan{
		Version: plan.Version, Purpose: plan.Deliver, Run: "20260301-090000-cccc", Service: "api", Environment: env, Commit: c, Replaces: deployed, Skip: "nothing to do",
	}}
	_, err := m.deps.Runs.Enqueue(ctx, r)
	m.must(err)
	m.must(m.deps.Runs.Finish(ctx, r.ID, record.RunResult{Outcome: delivery.OutcomeSkipped, At: at(9)}))
}
