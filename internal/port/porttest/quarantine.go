package porttest

import (
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

func testQuarantine(t *testing.T, s port.ReleaseStore) {
	id := save(t, s, 1, 1).ID
	quarantined := func() *delivery.Quarantine {
		t.Helper()
		r, err := s.Get(t.Context(), id)
		return must(t, r, err).Quarantined
	}
	wantFault(t, "unquarantine one that is not", s.Unquarantine(t.Context(), id, actorOf("ana"), "why not"), fault.Conflict)
	q := delivery.Quarantine{Release: id, Environment: "prod", Reason: "errors", Since: minute(1), Run: numberedRun(1)}
	q.Unknown = unknownFields
	later := q
	later.Reason, later.Since = "more errors", minute(2)
	for _, each := range []delivery.Quarantine{q, later} {
		if err := s.Quarantine(t.Context(), each); err != nil {
			t.Fatal(err)
		}
	}
	wantEqual(t, "the first quarantine", quarantined(), &q)
	if listReleases(t, s, port.ReleaseFilter{})[0].Quarantined == nil {
		t.Error("the list omits the quarantine")
	}
	if err := s.Unquarantine(t.Context(), id, actorOf("ana"), "fixed outside"); err != nil {
		t.Fatal(err)
	}
	wantEqual(t, "unquarantined", quarantined(), nil)
	wantFault(t, "unquarantine twice", s.Unquarantine(t.Context(), id, actorOf("ben"), ""), fault.Conflict)
	if err := s.Quarantine(t.Context(), later); err != nil {
		t.Fatal(err)
	}
	wantEqual(t, "quarantined anew", quarantined(), &later)
	all, err := s.Quarantines(t.Context(), id)
	if len(must(t, all, err)) != 2 {
		t.Fatalf("quarantines = %+v, want two", all)
	}
	q.EndedBy, q.EndedWhy, q.EndedAt = actorOf("ana"), "fixed outside", all[0].EndedAt
	wantEqual(t, "quarantines, oldest first", all, []delivery.Quarantine{q, later})
	if q.EndedAt.IsZero() {
		t.Error("the end of the first quarantine has no time")
	}
	q.EndedBy, q.EndedWhy, q.EndedAt = delivery.Actor{}, "", time.Time{}
	_, err = s.Quarantines(t.Context(), unknownRelease)
	wantFault(t, "quarantines of an unknown release", err, fault.NotFound)
	unknown := q
	unknown.Release = unknownRelease
	wantFault(t, "quarantine an unknown release", s.Quarantine(t.Context(), unknown), fault.NotFound)
	wantFault(t, "unquarantine an unknown release", s.Unquarantine(t.Context(), unknownRelease, actorOf("ana"), ""), fault.NotFound)
}

// testQuarantineInputs: an image that can't be built reproducibly gets another digest
// when it is built again, and stays quarantined.
func testQuarantineInputs(t *testing.T, s port.ReleaseStore) {
	from := func(run int, image, build string) delivery.ReleaseRecord {
		t.Helper()
		r, o := releaseOf(1), originOf(run)
		r.Image.Digest = repeatedDigest(image)
		o.Inputs = delivery.Inputs{Build: repeatedDigest(build), Configuration: repeatedDigest("7")}
		saved, err := s.Save(t.Context(), r, o)
		return must(t, saved, err)
	}
	bad := from(1, "a", "8")
	if err := s.Quarantine(t.Context(), delivery.Quarantine{Release: bad.ID, Environment: "prod", Reason: "errors", Since: minute(1)}); err != nil {
		t.Fatal(err)
	}
	if again := from(2, "b", "8"); again.ID == bad.ID || again.Quarantined == nil || again.Quarantined.Reason != "errors" || again.Quarantined.Release != again.ID {
		t.Errorf("built again = %s with quarantine %+v, want another release, quarantined like the first", again.ID, again.Quarantined)
	}
	if other := from(3, "c", "9"); other.Quarantined != nil {
		t.Errorf("built from other inputs: quarantine = %+v, want none", other.Quarantined)
	}
}

func testQuarantineParts(t *testing.T, s port.ReleaseStore) {
	for name, part := range map[string]delivery.Quarantine{
		"image": {Image: repeatedDigest("1")}, "model": {Model: repeatedDigest("2")},
	} {
		t.Run(name, func(t *testing.T) {
			part.Environment, part.Reason, part.Since = "prod", "the part is bad", minute(1)
			if err := s.Quarantine(t.Context(), part); err != nil {
				t.Fatal(err)
			}
			held := save(t, s, 1, 1)
			if q := held.Quarantined; q == nil || q.Reason != part.Reason || q.Image != part.Image || q.Model != part.Model {
				t.Errorf("quarantine = %+v, want that of its part", q)
			}
			other := releaseOf(1)
			other.Image.Digest, other.Model.Digest = repeatedDigest("c"), repeatedDigest("d")
			if free, err := s.Save(t.Context(), other, originOf(2)); must(t, free, err).Quarantined != nil {
				t.Errorf("quarantine = %+v of a release without the part", free.Quarantined)
			}
			if err := s.Unquarantine(t.Context(), held.ID, actorOf("ana"), "it was not the part"); err != nil {
				t.Fatal(err)
			}
			if got, err := s.Get(t.Context(), held.ID); must(t, got, err).Quarantined != nil {
				t.Errorf("quarantine = %+v after it was released", got.Quarantined)
			}
		})
	}
}

// testQuarantineConfigurations: a release stays free to run as it is, or with another
// configuration than the one that is quarantined.
func testQuarantineConfigurations(t *testing.T, s port.ReleaseStore) {
	rel := save(t, s, 1, 1)
	inputs := func(build, configuration string) delivery.Inputs {
		return delivery.Inputs{Build: repeatedDigest(build), Configuration: repeatedDigest(configuration)}
	}
	bad := releaseOf(5).Configuration()
	name := rel.ID.With(&bad)
	q := delivery.Quarantine{
		Release: name, Config: &bad, Inputs: inputs("8", "7"), Environment: "prod", Reason: "out of memory", Since: minute(1), Run: numberedRun(1),
	}
	if err := s.Quarantine(t.Context(), q); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Get(t.Context(), rel.ID); must(t, got, err).Quarantined != nil {
		t.Errorf("quarantine of the release = %+v, want none", got.Quarantined)
	}
	rebuilt := releaseOf(5)
	rebuilt.Image.Digest = repeatedDigest("c")
	for _, c := range []struct {
		name string
		rel  delivery.Release
		in   delivery.Inputs
		held bool
	}{
		{"as it is", rel.Release, delivery.Inputs{}, false},
		{"another configuration", releaseOf(6), inputs("8", "6"), false},
		{"with the configuration", rel.Release.WithConfiguration(&bad), delivery.Inputs{}, true},
		{"a release of that content", releaseOf(5), delivery.Inputs{}, true},
		{"built again from the same inputs", rebuilt, inputs("8", "7"), true},
		{"built from other inputs", rebuilt, inputs("9", "7"), false},
	} {
		found, err := s.FindQuarantine(t.Context(), c.rel, c.in)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if held := found != nil && found.Release == name && found.Reason == q.Reason; held != c.held {
			t.Errorf("%s: quarantine = %+v, want one: %v", c.name, found, c.held)
		}
	}
	other := releaseOf(7).Configuration()
	wantFault(t, "unquarantine another configuration", s.Unquarantine(t.Context(), rel.ID.With(&other), actorOf("ana"), "x"), fault.Conflict)
	for _, id := range []delivery.ReleaseID{name, rel.ID} {
		if err := s.Unquarantine(t.Context(), id, actorOf("ana"), "more memory"); err != nil {
			t.Errorf("unquarantine %s: %v", id, err)
		}
		found, err := s.FindQuarantine(t.Context(), releaseOf(5), delivery.Inputs{})
		if err != nil || found != nil {
			t.Errorf("quarantine after %s was unquarantined = %+v (%v), want none", id, found, err)
		}
		if err := s.Quarantine(t.Context(), q); err != nil {
			t.Fatal(err)
		}
	}
	all, err := s.Quarantines(t.Context(), rel.ID)
	if len(must(t, all, err)) != 3 || all[0].Release != name || all[0].EndedBy != actorOf("ana") || !all[2].EndedAt.IsZero() {
		t.Errorf("quarantines = %+v, want those of %s, two of them ended", all, name)
	}
}
