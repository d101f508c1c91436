package porttest

import (
	"testing"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/release"
)

// releaseWithObjects is a release of rendered manifests under the name that it gets.
func releaseWithObjects(t *testing.T, repository, objects string) delivery.ReleaseRecord {
	t.Helper()
	rel := releaseOf(1)
	rel.Image.Repository, rel.Objects, rel.Manifests = repository, objects, delivery.DigestOf([]byte(objects))
	_, digest, id, err := release.Canonical(rel)
	return delivery.ReleaseRecord{ID: must(t, id, err), Digest: digest, Release: rel, Origin: originOf(1), Run: numberedRun(1)}
}

// testUnsignedRelease: what nobody trusted has signed stays marked, changes nothing that
// is known, and makes way for what is trusted.
func testUnsignedRelease(t *testing.T, s port.ReleaseStore) {
	pending := releaseWithObjects(t, "elsewhere.example/retail", "[]")
	pending.Unsigned, pending.Origin.Commit = true, "forged"
	for range 2 {
		got, err := s.Import(t.Context(), pending)
		if got = must(t, got, err); !got.Unsigned || got.Release.Image.Repository != pending.Release.Image.Repository || got.Origin.Commit != "forged" {
			t.Errorf("imported %+v, want it unsigned", got)
		}
	}
	forged := pending
	forged.Release.Objects = `[{"kind":"RoleBinding"}]`
	_, err := s.Import(t.Context(), forged)
	wantFault(t, "objects that the name does not stand for", err, fault.Corrupt)

	honest := releaseWithObjects(t, "retail", "[]")
	saved, err := s.Save(t.Context(), honest.Release, originOf(2))
	saved = must(t, saved, err)
	wantEqual(t, "name of what a run made itself", saved.ID, pending.ID)
	for range 2 {
		if saved.Unsigned || saved.Release.Image.Repository != "retail" || saved.Origin.Commit != originOf(2).Commit || saved.Digest != honest.Digest {
			t.Errorf("saved %+v, want what the run made", saved)
		}
		again, err := s.Import(t.Context(), pending)
		saved = must(t, again, err) // nothing of it is taken over now
	}
}

// testTrustedReleaseTakesOver: a record that is signed replaces the unsigned one.
func testTrustedReleaseTakesOver(t *testing.T, s port.ReleaseStore) {
	pending := releaseWithObjects(t, "elsewhere.example/retail", "[]")
	pending.Unsigned = true
	got, err := s.Import(t.Context(), pending)
	must(t, got, err)
	signed := releaseWithObjects(t, "retail", "[]")
	got, err = s.Import(t.Context(), signed)
	if got = must(t, got, err); got.Unsigned || got.Release.Image.Repository != "retail" || got.Digest != signed.Digest {
		t.Errorf("imported %+v, want the signed record", got)
	}
	got, err = s.Get(t.Context(), signed.ID)
	if got = must(t, got, err); got.Unsigned {
		t.Errorf("%+v is still unsigned", got)
	}
}

// testUnsignedDeployment: it stays marked until the same deployment is trusted.
func testUnsignedDeployment(t *testing.T, s port.DeploymentStore) {
	forged := &delivery.Configuration{Objects: "forged"}
	d := delivery.Deployment{Environment: "prod", Release: "r-000000000001", Run: numberedRun(1), By: "eve", StartedAt: minute(1), Config: forged, Unsigned: true, Unknown: unknownFields}
	first, err := s.Begin(t.Context(), d)
	first = must(t, first, err)
	if !first.Unsigned || first.Unknown != unknownFields {
		t.Errorf("begun %+v, want it unsigned, with the fields of a newer program", first)
	}
	accept(t, s, first.ID, 2)
	if current, _, err := s.Current(t.Context(), "prod"); !must(t, current, err).Unsigned {
		t.Errorf("current %+v, want it unsigned", current)
	}
	d.Unsigned, d.By, d.Config = false, "ana", nil
	again, err := s.Begin(t.Context(), d)
	again = must(t, again, err)
	if again.ID != first.ID || again.State != delivery.Serving || again.Unsigned || again.By != "ana" || again.Config != nil || again.Unknown != unknownFields {
		t.Errorf("after the trusted one: %+v", again)
	}
	d.Unsigned, d.By, d.Config = true, "eve", forged
	last, err := s.Begin(t.Context(), d)
	wantEqual(t, "after the unsigned one again", must(t, last, err), again)
}

// testUnsignedModel: a decision that nobody trusted has signed counts for nothing.
func testUnsignedModel(t *testing.T, m port.ModelRegistry) {
	forged := delivery.ModelVersion{
		ModelRef: delivery.ModelRef{Group: "retail", Version: 7, Digest: repeatedDigest("f")}, Status: delivery.Approved,
		Metrics: delivery.Metrics{"accuracy": 0.99}, CreatedAt: minute(1), DecidedBy: "ann", DecidedActor: actorOf("ann"), DecidedAt: minute(2), Unsigned: true,
	}
	get := func(version int) delivery.ModelVersion {
		t.Helper()
		got, err := m.Get(t.Context(), "retail", version)
		return must(t, got, err)
	}
	for range 2 {
		if err := importer(t, m).Import(t.Context(), forged); err != nil {
			t.Fatal(err)
		}
		if got := get(7); got.Status != delivery.PendingApproval || !got.Unsigned || got.DecidedBy != "" {
			t.Errorf("imported %+v, want it pending and unsigned", got)
		}
	}
	honest := forged
	honest.Unsigned, honest.Digest, honest.Metrics = false, repeatedDigest("e"), delivery.Metrics{"accuracy": 0.8}
	if err := importer(t, m).Import(t.Context(), honest); err != nil {
		t.Fatal(err)
	}
	if got := get(7); got.Status != delivery.Approved || got.Unsigned || got.Digest != honest.Digest || got.DecidedBy != "ann" {
		t.Errorf("after the trusted one: %+v", got)
	}
	forged.Version, forged.Digest = 8, repeatedDigest("d")
	if err := importer(t, m).Import(t.Context(), forged); err != nil {
		t.Fatal(err)
	}
	made, err := m.Register(t.Context(), "retail", forged.Digest, delivery.Metrics{"accuracy": 0.7}, delivery.Lineage{Commit: "abc"})
	if made = must(t, made, err); made.Version != 8 || made.Unsigned || made.Metrics["accuracy"] != 0.7 || made.Lineage.Commit != "abc" {
		t.Errorf("registered %+v, want what the run measured", made)
	}
	forged.Version, forged.Digest = 9, repeatedDigest("c")
	if err := importer(t, m).Import(t.Context(), forged); err != nil {
		t.Fatal(err)
	}
	decided, err := m.Decide(t.Context(), forged.ModelRef, delivery.ModelDecision{Status: delivery.Approved, By: actorOf("bob")})
	if decided = must(t, decided, err); decided.Unsigned || decided.DecidedBy != "bob" {
		t.Errorf("decided %+v, want a person's word", decided)
	}
}
