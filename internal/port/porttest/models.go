package porttest

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// TestModels holds an adapter to port.ModelRegistry. fresh returns a function that
// opens the same registry, empty at first, again and again, as separate processes
// would.
func TestModels(t *testing.T, fresh func(t *testing.T) (open func() port.ModelRegistry)) {
	t.Run("register", func(t *testing.T) { testRegister(t, fresh(t)()) })
	t.Run("list", func(t *testing.T) { testListModels(t, fresh(t)()) })
	t.Run("pages", func(t *testing.T) { testModelPages(t, fresh(t)()) })
	t.Run("refuses", func(t *testing.T) { testRegisterRefuses(t, fresh(t)()) })
	t.Run("decide", func(t *testing.T) { testDecide(t, fresh(t)()) })
	t.Run("revise a decision", func(t *testing.T) { testRevise(t, fresh(t)()) })
	t.Run("another handle", func(t *testing.T) { testModelsPersist(t, fresh(t)) })
	t.Run("registered concurrently", func(t *testing.T) { testRegisterConcurrently(t, fresh(t)) })
	t.Run("decided concurrently", func(t *testing.T) { testDecideConcurrently(t, fresh(t)) })
}

func register(t *testing.T, m port.ModelRegistry, group, digit string) delivery.ModelVersion {
	t.Helper()
	v, err := m.Register(t.Context(), group, repeatedDigest(digit), nil, delivery.Lineage{})
	return must(t, v, err)
}

func testRegister(t *testing.T, m port.ModelRegistry) {
	metrics := delivery.Metrics{"accuracy": 0.87, "report": map[string]any{"f1": 0.5}, "name": "x", "none": nil, "list": []any{1.0}}
	lineage := delivery.Lineage{
		Commit: "abc", Data: repeatedDigest("d"), Job: "j", Run: numberedRun(1), Command: "train", Training: repeatedDigest("e"),
	}
	first, err := m.Register(t.Context(), "retail", repeatedDigest("a"), metrics, lineage)
	if err != nil {
		t.Fatal(err)
	}
	if first.CreatedAt.IsZero() || first.Version < 1 {
		t.Errorf("version %d was registered at %v", first.Version, first.CreatedAt)
	}
	want := delivery.ModelVersion{
		ModelRef: delivery.ModelRef{Group: "retail", Version: first.Version, Digest: repeatedDigest("a")}, Status: delivery.PendingApproval,
		Metrics: metrics, Lineage: lineage, CreatedAt: first.CreatedAt,
	}
	wantEqual(t, "registered", first, want)
	again, err := m.Register(t.Context(), "retail", repeatedDigest("a"), delivery.Metrics{"accuracy": 0.1}, delivery.Lineage{Commit: "zzz"})
	wantEqual(t, "the same artifact", must(t, again, err), first)
	got, err := m.Get(t.Context(), "retail", first.Version)
	wantEqual(t, "found", must(t, got, err), first)
	other := register(t, m, "fraud", "a")
	if other.Group != "fraud" || other.Version < 1 {
		t.Errorf("the same artifact in another group: %+v", other)
	}
}

func testListModels(t *testing.T, m port.ModelRegistry) {
	wantEqual(t, "an empty registry", listModels(t, m, port.ModelFilter{}), nil)
	first, second := register(t, m, "retail", "a"), register(t, m, "retail", "b")
	if second.Version <= first.Version {
		t.Errorf("version %d was registered after %d", second.Version, first.Version)
	}
	register(t, m, "fraud", "a")
	wantEqual(t, "newest first", listModels(t, m, port.ModelFilter{Group: "retail"}), []delivery.ModelVersion{second, first})
	wantEqual(t, "all groups", len(listModels(t, m, port.ModelFilter{})), 3)
	wantEqual(t, "an unknown group", listModels(t, m, port.ModelFilter{Group: "none"}), nil)
	approved, err := m.Decide(t.Context(), first.ModelRef, decisionOf(delivery.Approved, "ana", ""))
	must(t, approved, err)
	wantEqual(t, "approved", listModels(t, m, port.ModelFilter{Status: delivery.Approved}), []delivery.ModelVersion{approved})
	wantEqual(t, "pending in the group", listModels(t, m, port.ModelFilter{Group: "retail", Status: delivery.PendingApproval}), []delivery.ModelVersion{second})
}

func listModels(t *testing.T, m port.ModelRegistry, f port.ModelFilter) []delivery.ModelVersion {
	t.Helper()
	list, err := port.Collect(port.AllModels(t.Context(), m, f))
	return must(t, list, err)
}

func testModelPages(t *testing.T, m port.ModelRegistry) {
	register(t, m, "fraud", "a")
	var want []string
	for _, digit := range []string{"a", "b", "c", "d"} {
		want = append(want, register(t, m, "retail", digit).String())
	}
	slices.Reverse(want)
	pages[delivery.ModelVersion]{
		list: func(ctx context.Context, p port.Page) ([]delivery.ModelVersion, port.Cursor, error) {
			return m.List(ctx, port.ModelFilter{Group: "retail"}, p)
		},
		name: func(v delivery.ModelVersion) string { return v.String() },
		want: want, add: func() { register(t, m, "retail", "e") },
	}.test(t)
}

func testRegisterRefuses(t *testing.T, m port.ModelRegistry) {
	first := register(t, m, "retail", "a")
	_, err := m.Get(t.Context(), "retail", first.Version+1)
	wantFault(t, "unknown version", err, fault.NotFound)
	_, err = m.Get(t.Context(), "fraud", first.Version)
	wantFault(t, "unknown group", err, fault.NotFound)
	_, err = m.Register(t.Context(), "retail", "latest", nil, delivery.Lineage{})
	wantFault(t, "artifact without a digest", err, fault.Invalid)
	_, err = m.Register(t.Context(), "", repeatedDigest("b"), nil, delivery.Lineage{})
	wantFault(t, "no group", err, fault.Invalid)
}

func testDecide(t *testing.T, m port.ModelRegistry) {
	decide := func(ref delivery.ModelRef, status delivery.ModelStatus, by, reason string) (delivery.ModelVersion, error) {
		return m.Decide(t.Context(), ref, decisionOf(status, by, reason))
	}
	registered := register(t, m, "retail", "a")
	ref := registered.ModelRef
	_, err := decide(ref, delivery.PendingApproval, "ana", "")
	wantFault(t, "pending is not a decision", err, fault.Invalid)
	first, err := decide(ref, delivery.Approved, "ana", "good")
	if err != nil || first.DecidedAt.IsZero() {
		t.Fatalf("approve: %+v, %v", first, err)
	}
	want := registered
	want.Status, want.DecidedBy, want.DecidedActor, want.DecidedAt, want.Why = delivery.Approved, "ana", actorOf("ana"), first.DecidedAt, "good"
	wantEqual(t, "approved", first, want)
	again, err := decide(ref, delivery.Approved, "ben", "me too")
	wantEqual(t, "approved again", must(t, again, err), first)
	_, err = m.Decide(t.Context(), ref, delivery.ModelDecision{Status: delivery.Rejected, Revises: delivery.PendingApproval, By: actorOf("ben")})
	wantFault(t, "a first decision on an approved version", err, fault.Conflict)
	got, err := m.Get(t.Context(), "retail", ref.Version)
	wantEqual(t, "unchanged", must(t, got, err), first)
	_, err = decide(delivery.ModelRef{Group: "retail", Version: ref.Version + 8}, delivery.Approved, "ana", "")
	wantFault(t, "unknown version", err, fault.NotFound)

	second := register(t, m, "retail", "b").ModelRef
	mistaken := second
	mistaken.Digest = repeatedDigest("c")
	_, err = decide(mistaken, delivery.Approved, "ana", "")
	wantFault(t, "a version with another digest", err, fault.Conflict)
	second.Digest = ""
	rejected, err := decide(second, delivery.Rejected, "ana", "")
	wantEqual(t, "rejected, without naming the digest", must(t, rejected, err).Status, delivery.Rejected)
}

// testRevise revises decisions in both directions, and wants all of them kept.
func testRevise(t *testing.T, m port.ModelRegistry) {
	ref := register(t, m, "retail", "a").ModelRef
	none, err := m.Decisions(t.Context(), "retail", ref.Version)
	wantEqual(t, "decisions on a new version", len(must(t, none, err)), 0)
	var want []delivery.ModelDecision
	before := delivery.PendingApproval
	for _, d := range []delivery.ModelDecision{
		decisionOf(delivery.Rejected, "ana", "a holiday in the data"), decisionOf(delivery.Approved, "ben", "without the holiday it is as good"),
		decisionOf(delivery.Rejected, "cy", "biased"),
	} {
		d.Revises = before
		got, err := m.Decide(t.Context(), ref, d)
		must(t, got, err)
		if got.Status != d.Status || got.DecidedActor != d.By || got.Why != d.Why || got.DecidedAt.IsZero() {
			t.Errorf("after %+v the version is %+v", d, got)
		}
		found, err := m.Get(t.Context(), "retail", ref.Version)
		wantEqual(t, "found", must(t, found, err), got)
		d.At, before = got.DecidedAt, d.Status
		want = append(want, d)
	}
	got, err := m.Decisions(t.Context(), "retail", ref.Version)
	wantEqual(t, "decisions, oldest first", must(t, got, err), want)
	wantEqual(t, "newest decision in the list", listModels(t, m, port.ModelFilter{Group: "retail"})[0].Why, "biased")
	other := register(t, m, "retail", "b")
	none, err = m.Decisions(t.Context(), "retail", other.Version)
	wantEqual(t, "decisions on another version", len(must(t, none, err)), 0)
	_, err = m.Decisions(t.Context(), "retail", other.Version+8)
	wantFault(t, "unknown version", err, fault.NotFound)
}

func actorOf(name string) delivery.Actor {
	return delivery.Actor{Issuer: "https://example.com", Subject: "u-" + name, Name: name, Means: delivery.MeansCI}
}

func decisionOf(status delivery.ModelStatus, by, reason string) delivery.ModelDecision {
	return delivery.ModelDecision{Status: status, By: actorOf(by), Why: reason}
}

func testModelsPersist(t *testing.T, open func() port.ModelRegistry) {
	m := open()
	first := register(t, m, "retail", "a")
	decided, err := m.Decide(t.Context(), first.ModelRef, decisionOf(delivery.Approved, "ana", ""))
	must(t, decided, err)
	got, err := open().Get(t.Context(), "retail", first.Version)
	wantEqual(t, "another handle", must(t, got, err), decided)
}

func testRegisterConcurrently(t *testing.T, open func() port.ModelRegistry) {
	const n = 24
	versions := make([]int, n)
	concurrently(t, n, []port.ModelRegistry{open(), open()}, func(m port.ModelRegistry, i int) error {
		artifact := delivery.Digest(fmt.Sprintf("sha256:%064x", i/2)) // each one twice
		v, err := m.Register(t.Context(), "retail", artifact, nil, delivery.Lineage{})
		versions[i] = v.Version
		return err
	})
	byVersion := map[int]int{} // to the artifact
	for i, v := range versions {
		if other, taken := byVersion[v]; taken && other != i/2 {
			t.Errorf("version %d was given to two artifacts", v)
		}
		byVersion[v] = i / 2
	}
	wantEqual(t, "versions", len(byVersion), n/2)
}

func testDecideConcurrently(t *testing.T, open func() port.ModelRegistry) {
	ref := register(t, open(), "retail", "a").ModelRef
	won := make([]bool, 8)
	concurrently(t, len(won), []port.ModelRegistry{open(), open()}, func(m port.ModelRegistry, i int) error {
		status := delivery.Approved
		if i%2 == 0 {
			status = delivery.Rejected
		}
		d := decisionOf(status, fmt.Sprint(i), "")
		d.Revises = delivery.PendingApproval
		_, err := m.Decide(t.Context(), ref, d)
		won[i] = err == nil
		if fault.Is(err, fault.Conflict) {
			return nil
		}
		return err
	})
	for i := 2; i < len(won); i++ {
		if won[i] != won[i-2] {
			t.Fatalf("both decisions were taken: %v", won)
		}
	}
	if won[0] == won[1] {
		t.Errorf("approved and rejected: %v", won)
	}
}
