package porttest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/release"
)

// TestReleases holds an adapter to port.ReleaseStore. fresh returns a function that
// opens the same store, empty at first, again and again, as separate processes
// would.
func TestReleases(t *testing.T, fresh func(t *testing.T) (open func() port.ReleaseStore)) {
	t.Run("save", func(t *testing.T) { testSaveRelease(t, fresh(t)()) })
	t.Run("save from elsewhere", func(t *testing.T) { testSaveElsewhere(t, fresh(t)()) })
	t.Run("save form 1", func(t *testing.T) { testSaveFormOne(t, fresh(t)()) })
	t.Run("quarantine of inputs", func(t *testing.T) { testQuarantineInputs(t, fresh(t)()) })
	t.Run("quarantine of configurations", func(t *testing.T) { testQuarantineConfigurations(t, fresh(t)()) })
	t.Run("quarantine of parts", func(t *testing.T) { testQuarantineParts(t, fresh(t)()) })
	t.Run("import", func(t *testing.T) { testImportRelease(t, fresh(t)()) })
	t.Run("unsigned", func(t *testing.T) { testUnsignedRelease(t, fresh(t)()) })
	t.Run("unsigned, then trusted", func(t *testing.T) { testTrustedReleaseTakesOver(t, fresh(t)()) })
	t.Run("list", func(t *testing.T) { testListReleases(t, fresh(t)()) })
	t.Run("pages", func(t *testing.T) { testReleasePages(t, fresh(t)()) })
	t.Run("quarantine", func(t *testing.T) { testQuarantine(t, fresh(t)()) })
	t.Run("another handle", func(t *testing.T) { testReleasesPersist(t, fresh(t)) })
	t.Run("saved concurrently", func(t *testing.T) { testSaveConcurrently(t, fresh(t)) })
}

// releaseOf is a release; its content depends on the number of replicas.
func releaseOf(replicas int) delivery.Release {
	return delivery.Release{
		Schema: delivery.ReleaseForm, Service: "retail",
		Image:    delivery.Image{Repository: "retail", Digest: repeatedDigest("1")},
		Model:    &delivery.ModelRef{Group: "retail", Version: 1, Digest: repeatedDigest("2")},
		Workload: delivery.Workload{Replicas: replicas, Health: "/health", Env: map[string]string{"A": "<b>"}},
	}
}

// originOf is what the run knows about a release.
func originOf(run int) delivery.Origin {
	return delivery.Origin{
		Run: numberedRun(run), Commit: strings.Repeat(fmt.Sprint(run), 40), Tree: strings.Repeat("b", 40), Dirty: run%2 == 1, SBOM: repeatedDigest("5"),
		GateResults: []delivery.GateResult{{Gate: "scan", Verdict: delivery.Passed}}, CreatedAt: minute(run),
	}
}

// formOneOf is a release as form 1 recorded it.
func formOneOf(replicas, commit int) delivery.Release {
	r := releaseOf(replicas)
	r.Schema = 1
	r.FormOne = delivery.FormOne{Commit: strings.Repeat(fmt.Sprint(commit), 40), Tree: strings.Repeat("b", 40), GateResults: originOf(1).GateResults}
	return r
}

const unknownRelease delivery.ReleaseID = "r-000000000000"

func save(t *testing.T, s port.ReleaseStore, run, replicas int) delivery.ReleaseRecord {
	t.Helper()
	r, err := s.Save(t.Context(), releaseOf(replicas), originOf(run))
	return must(t, r, err)
}

func testSaveRelease(t *testing.T, s port.ReleaseStore) {
	first := save(t, s, 1, 1)
	if !first.ID.Valid() || !first.Digest.Valid() || first.CreatedAt.IsZero() {
		t.Errorf("saved %q with digest %q at %v", first.ID, first.Digest, first.CreatedAt)
	}
	want := delivery.ReleaseRecord{
		ID: first.ID, Digest: first.Digest, CreatedAt: first.CreatedAt, Run: numberedRun(1), Release: releaseOf(1), Origin: originOf(1),
	}
	wantEqual(t, "saved", first, want)
	want.Origin = originOf(2)
	wantEqual(t, "saved again by another run", save(t, s, 2, 1), want)
	wantEqual(t, "saved again by the first run", save(t, s, 1, 1), want)
	got, err := s.Get(t.Context(), first.ID)
	wantEqual(t, "found", must(t, got, err), want)
	if second := save(t, s, 2, 2); second.ID == first.ID || second.Digest == first.Digest {
		t.Errorf("other content has the same name %s (%s)", second.ID, second.Digest)
	}
	_, err = s.Get(t.Context(), unknownRelease)
	wantFault(t, "unknown release", err, fault.NotFound)
}

// testSaveElsewhere saves the same content from another repository, and a model of
// another number.
func testSaveElsewhere(t *testing.T, s port.ReleaseStore) {
	first := save(t, s, 1, 1)
	moved := releaseOf(1)
	moved.Image.Repository, moved.Model.Version, moved.Model.Group = "elsewhere/retail", 9, "others"
	got, err := s.Save(t.Context(), moved, originOf(2))
	if got = must(t, got, err); got.ID != first.ID {
		t.Errorf("ID = %s, want %s: a repository, a group and a number are no part of the content", got.ID, first.ID)
	}
}

// testSaveFormOne: the releases of form 1 keep their names, and what is made now is
// compared with them by content.
func testSaveFormOne(t *testing.T, s port.ReleaseStore) {
	origin := delivery.Origin{Run: numberedRun(1)}
	old, err := s.Save(t.Context(), formOneOf(1, 3), origin)
	must(t, old, err)
	if one := formOneOf(1, 3); old.Origin.Commit != one.Commit || len(old.Origin.GateResults) != 1 || old.Origin.Run != numberedRun(1) {
		t.Errorf("origin = %+v, want that of the record", old.Origin)
	}
	other, err := s.Save(t.Context(), formOneOf(1, 4), delivery.Origin{Run: numberedRun(2)})
	if must(t, other, err).ID == old.ID {
		t.Error("the releases of two commits have one name, want two as in form 1")
	}
	same := save(t, s, 3, 1)
	if same.ID != old.ID || same.Origin.Commit != originOf(3).Commit {
		t.Errorf("saved %s with origin %+v, want the first record %s of the content, with the new origin", same.ID, same.Origin, old.ID)
	}
	if err := s.Quarantine(t.Context(), delivery.Quarantine{Release: other.ID, Environment: "prod", Reason: "errors", Since: minute(4)}); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Get(t.Context(), old.ID); must(t, got, err).Quarantined == nil {
		t.Error("the same content of another commit is not quarantined")
	}
}

// testImportRelease: a release of another machine keeps its name beside the same content,
// and a quarantine holds both.
func testImportRelease(t *testing.T, s port.ReleaseStore) {
	old, err := s.Save(t.Context(), formOneOf(1, 3), delivery.Origin{Run: numberedRun(1)})
	must(t, old, err)
	_, digest, id, err := release.Canonical(releaseOf(1))
	must(t, id, err)
	foreign := delivery.ReleaseRecord{ID: id, Digest: digest, Release: releaseOf(1), Origin: originOf(2), Run: numberedRun(2), Unknown: unknownFields}
	foreign.Release.Unknown, foreign.Origin.Unknown = unknownFields, unknownFields
	for range 2 {
		got, err := s.Import(t.Context(), foreign)
		if got = must(t, got, err); got.ID != id || got.Origin.Run != numberedRun(2) {
			t.Errorf("imported %s with origin %+v, want %s as it was", got.ID, got.Origin, id)
		}
		if got.Unknown != unknownFields || got.Release.Unknown != unknownFields || got.Origin.Unknown != unknownFields {
			t.Errorf("imported %+v, want it with the fields of a newer program", got)
		}
	}
	if err := s.Quarantine(t.Context(), delivery.Quarantine{Release: old.ID, Environment: "prod", Reason: "errors", Since: minute(1)}); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Get(t.Context(), id); must(t, got, err).Quarantined == nil {
		t.Error("the same content of another machine is not quarantined")
	}
	foreign.Release.Workload.Replicas++
	_, err = s.Import(t.Context(), foreign)
	wantFault(t, "content of another name", err, fault.Corrupt)
}

func testListReleases(t *testing.T, s port.ReleaseStore) {
	first, second := save(t, s, 1, 1), save(t, s, 2, 2)
	wantEqual(t, "newest first", listReleases(t, s, port.ReleaseFilter{}), []delivery.ReleaseRecord{second, first})
	list, _, err := s.List(t.Context(), port.ReleaseFilter{}, port.Page{Limit: 1})
	wantEqual(t, "limit", must(t, list, err), []delivery.ReleaseRecord{second})
	wantEqual(t, "quarantined, without a quarantine", listReleases(t, s, port.ReleaseFilter{Quarantined: true}), nil)
	if err := s.Quarantine(t.Context(), delivery.Quarantine{Release: first.ID, Environment: "prod", Reason: "errors", Since: minute(1)}); err != nil {
		t.Fatal(err)
	}
	quarantined := listReleases(t, s, port.ReleaseFilter{Quarantined: true})
	if len(quarantined) != 1 || quarantined[0].ID != first.ID || quarantined[0].Quarantined == nil {
		t.Errorf("quarantined releases = %+v, want %s with its quarantine", quarantined, first.ID)
	}
}

func listReleases(t *testing.T, s port.ReleaseStore, f port.ReleaseFilter) []delivery.ReleaseRecord {
	t.Helper()
	list, err := port.Collect(port.AllReleases(t.Context(), s, f))
	return must(t, list, err)
}

func testReleasePages(t *testing.T, s port.ReleaseStore) {
	var want []string
	for n := 1; n <= 5; n++ {
		want = append(want, string(save(t, s, n, n).ID))
	}
	slices.Reverse(want)
	pages[delivery.ReleaseRecord]{
		list: func(ctx context.Context, p port.Page) ([]delivery.ReleaseRecord, port.Cursor, error) {
			return s.List(ctx, port.ReleaseFilter{}, p)
		},
		name: func(r delivery.ReleaseRecord) string { return string(r.ID) },
		want: want, add: func() { save(t, s, 6, 6) },
	}.test(t)
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
		_, err := s.Save(t.Context(), releaseOf(1), originOf(i+1))
		return err
	})
	wantEqual(t, "releases", len(listReleases(t, handles[0], port.ReleaseFilter{})), 1)
}
