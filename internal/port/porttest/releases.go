package porttest

import (
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// TestReleases holds an adapter to port.ReleaseStore. fresh returns a function that
// opens the same store, empty at first, again and again, as separate processes
// would.
func TestReleases(t *testing.T, fresh func(t *testing.T) (open func() port.ReleaseStore)) {
	t.Run("save", func(t *testing.T) { testSaveRelease(t, fresh(t)()) })
	t.Run("list", func(t *testing.T) { testListReleases(t, fresh(t)()) })
	t.Run("quarantine", func(t *testing.T) { testQuarantine(t, fresh(t)()) })
	t.Run("another handle", func(t *testing.T) { testReleasesPersist(t, fresh(t)) })
	t.Run("saved concurrently", func(t *testing.T) { testSaveConcurrently(t, fresh(t)) })
}

// releaseOf is a release; its content depends on the number of replicas.
func releaseOf(replicas int) delivery.Release {
	return delivery.Release{
		Schema: 1, Service: "retail", Commit: strings.Repeat("a", 40), Tree: strings.Repeat("b", 40),
		Image:    delivery.Image{Repository: "retail", Digest: repeatedDigest("1")},
		Model:    &delivery.ModelRef{Group: "retail", Version: 1, Digest: repeatedDigest("2")},
		Workload: delivery.Workload{Replicas: replicas, Health: "/health", Env: map[string]string{"A": "<b>"}},
	}
}

const unknownRelease delivery.ReleaseID = "r-000000000000"

func save(t *testing.T, s port.ReleaseStore, run, replicas int) delivery.ReleaseRecord {
	t.Helper()
	r, err := s.Save(t.Context(), numberedRun(run), releaseOf(replicas))
	return must(t, r, err)
}

func testSaveRelease(t *testing.T, s port.ReleaseStore) {
	first := save(t, s, 1, 1)
	if !first.ID.Valid() || !first.Digest.Valid() || first.CreatedAt.IsZero() {
		t.Errorf("saved %q with digest %q at %v", first.ID, first.Digest, first.CreatedAt)
	}
	want := delivery.ReleaseRecord{ID: first.ID, Digest: first.Digest, CreatedAt: first.CreatedAt, Run: numberedRun(1), Release: releaseOf(1)}
	wantEqual(t, "saved", first, want)
	wantEqual(t, "saved again", save(t, s, 2, 1), first)
	got, err := s.Get(t.Context(), first.ID)
	wantEqual(t, "found", must(t, got, err), first)
	if second := save(t, s, 2, 2); second.ID == first.ID || second.Digest == first.Digest {
		t.Errorf("other content has the same name %s (%s)", second.ID, second.Digest)
	}
	_, err = s.Get(t.Context(), unknownRelease)
	wantFault(t, "unknown release", err, fault.NotFound)
}

func testListReleases(t *testing.T, s port.ReleaseStore) {
	first, second := save(t, s, 1, 1), save(t, s, 2, 2)
	list, err := s.List(t.Context(), 0)
	wantEqual(t, "newest first", must(t, list, err), []delivery.ReleaseRecord{second, first})
	list, err = s.List(t.Context(), 1)
	wantEqual(t, "limit", must(t, list, err), []delivery.ReleaseRecord{second})
}

func testQuarantine(t *testing.T, s port.ReleaseStore) {
	id := save(t, s, 1, 1).ID
	quarantined := func() *delivery.Quarantine {
		t.Helper()
		r, err := s.Get(t.Context(), id)
		return must(t, r, err).Quarantined
	}
	wantFault(t, "unquarantine one that is not", s.Unquarantine(t.Context(), id, "ana", "why not"), fault.Conflict)
	q := delivery.Quarantine{Release: id, Environment: "prod", Reason: "errors", Since: minute(1), Run: numberedRun(1)}
	later := q
	later.Reason, later.Since = "more errors", minute(2)
	for _, each := range []delivery.Quarantine{q, later} {
		if err := s.Quarantine(t.Context(), each); err != nil {
			t.Fatal(err)
		}
	}
	wantEqual(t, "the first quarantine", quarantined(), &q)
	if list, err := s.List(t.Context(), 0); must(t, list, err)[0].Quarantined == nil {
		t.Error("the list omits the quarantine")
	}
	if err := s.Unquarantine(t.Context(), id, "ana", "fixed outside"); err != nil {
		t.Fatal(err)
	}
	wantEqual(t, "unquarantined", quarantined(), nil)
	wantFault(t, "unquarantine twice", s.Unquarantine(t.Context(), id, "ana", ""), fault.Conflict)
	if err := s.Quarantine(t.Context(), later); err != nil {
		t.Fatal(err)
	}
	wantEqual(t, "quarantined anew", quarantined(), &later)
	unknown := q
	unknown.Release = unknownRelease
	wantFault(t, "quarantine an unknown release", s.Quarantine(t.Context(), unknown), fault.NotFound)
	wantFault(t, "unquarantine an unknown release", s.Unquarantine(t.Context(), unknownRelease, "ana", ""), fault.NotFound)
}

func testReleasesPersist(t *testing.T, open func() port.ReleaseStore) {
	s := open()
	id := save(t, s, 1, 1).ID
	if err := s.Quarantine(t.Context(), delivery.Quarantine{Release: id, Environment: "prod", Reason: "x", Since: minute(1)}); err != nil {
		t.Fatal(err)
	}
	here, err := s.Get(t.Context(), id)
	must(t, here, err)
	there, err := open().Get(t.Context(), id)
	wantEqual(t, "another handle", must(t, there, err), here)
}

func testSaveConcurrently(t *testing.T, open func() port.ReleaseStore) {
	handles := []port.ReleaseStore{open(), open()}
	concurrently(t, 12, handles, func(s port.ReleaseStore, i int) error {
		_, err := s.Save(t.Context(), numberedRun(i), releaseOf(1))
		return err
	})
	list, err := handles[0].List(t.Context(), 0)
	wantEqual(t, "releases", len(must(t, list, err)), 1)
}
