package porttest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// HistoryStoreFixture is a place without a history.
type HistoryStoreFixture struct {
	// Open is another Slipway at the same place, once the one before is done.
	Open func(t *testing.T) port.HistoryStore
	// Damage spoils the record of a release (or the history, without one), in the
	// way that its number says; false: there is no such way.
	Damage func(t *testing.T, id delivery.ReleaseID, way int) bool
}

// TestHistoryStore proves what port.HistoryStore promises. make is called for each
// test.
func TestHistoryStore(t *testing.T, make func(t *testing.T) HistoryStoreFixture) {
	for _, c := range []struct {
		name string
		run  func(*testing.T, HistoryStoreFixture)
	}{
		{"nothing", noChapter},
		{"round trip", chapterRoundTrip},
		{"releases never change", releasesNeverChange},
		{"what is older goes", olderGoes},
		{"large releases", largeRelease},
		{"environments apart", chaptersApart},
		{"extended by another", extendedByAnother},
		{"written by a newer program", newerChapter},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t, make(t)) })
	}
	t.Run("tampered", func(t *testing.T) { tampered(t, make) })
}

// chapter is the history of an environment in which each of the releases was
// brought in by a run of its own; the last one serves.
func chapter(env delivery.Environment, releases ...delivery.ReleaseRecord) port.History {
	c := port.History{Service: "sample", Environment: env}
	for i, r := range releases {
		d := delivery.Deployment{
			ID: int64(i + 1), Environment: env, Release: r.ID, Run: r.Run, State: delivery.Replaced, By: "ada",
			StartedAt: r.CreatedAt, ServingAt: r.CreatedAt.Add(time.Minute), EndedAt: r.CreatedAt.Add(time.Hour),
		}
		if i == len(releases)-1 {
			d.State, d.EndedAt = delivery.Serving, time.Time{}
		}
		c.Deployments = append([]delivery.Deployment{d}, c.Deployments...)
		c.Releases = append([]delivery.ReleaseRecord{r}, c.Releases...)
	}
	return c
}

// savedRelease is the n-th one.
func savedRelease(n int, objects string) delivery.ReleaseRecord {
	digest := delivery.DigestOf([]byte(fmt.Sprint(n, objects)))
	return delivery.ReleaseRecord{
		ID: delivery.ReleaseID("r-" + digest.Short()), Digest: digest, Run: delivery.RunID(fmt.Sprintf("run-%d", n)),
		CreatedAt: time.Date(2026, 3, 1, n, 0, 0, 0, time.UTC),
		Release: delivery.Release{
			Schema: 1, Service: "sample", FormOne: delivery.FormOne{Commit: fmt.Sprintf("%040d", n), Tree: fmt.Sprintf("%040d", n+1)},
			Image:    delivery.Image{Repository: "sample", Digest: digest},
			Model:    &delivery.ModelRef{Group: "models", Version: n + 1, Digest: digest},
			Workload: delivery.Workload{Replicas: 2, Health: "/health", Env: map[string]string{"N": fmt.Sprint(n)}, Drain: delivery.Duration(time.Second)},
			Objects:  objects,
		},
	}
}

func tell(t *testing.T, k port.HistoryStore, c port.History) {
	t.Helper()
	if err := k.SaveHistory(context.Background(), c); err != nil {
		t.Fatalf("write: %v", err)
	}
}

func wantChapter(t *testing.T, k port.HistoryStore, want port.History) {
	t.Helper()
	got, err := k.LoadHistory(context.Background(), want.Service, want.Environment)
	if err != nil {
		t.Fatalf("read: %v", err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("read %+v\nwant %+v", got, want)
	}
}

func noChapter(t *testing.T, f HistoryStoreFixture) {
	wantChapter(t, f.Open(t), port.History{Service: "sample", Environment: "prod"})
}

func chapterRoundTrip(t *testing.T, f HistoryStoreFixture) {
	bad := savedRelease(1, "[]")
	bad.Quarantined = &delivery.Quarantine{Release: bad.ID, Environment: "prod", Reason: "it \"lies\"\n", Since: bad.CreatedAt, Run: bad.Run}
	c := chapter("prod", savedRelease(0, ""), bad, savedRelease(2, `[{"kind":"<&>"}]`))
	k := f.Open(t)
	for range 2 {
		tell(t, k, c)
		wantChapter(t, k, c)
	}
	wantChapter(t, f.Open(t), c)
}

func releasesNeverChange(t *testing.T, f HistoryStoreFixture) {
	first := savedRelease(0, "")
	k := f.Open(t)
	tell(t, k, chapter("prod", first))
	other := first
	other.Release.Commit = "0123456789012345678901234567890123456789"
	other.Quarantined = &delivery.Quarantine{Release: first.ID, Environment: "prod", Reason: "later", Since: first.CreatedAt, Run: "run-9"}
	tell(t, k, chapter("prod", other))
	want := chapter("prod", first)
	want.Releases[0].Quarantined = other.Quarantined // that does change
	wantChapter(t, k, want)
	tell(t, k, chapter("prod", first)) // a person let it go
	wantChapter(t, k, chapter("prod", first))
}

func olderGoes(t *testing.T, f HistoryStoreFixture) {
	a, b, c := savedRelease(0, ""), savedRelease(1, ""), savedRelease(2, "")
	k := f.Open(t)
	tell(t, k, chapter("prod", a, b))
	k = f.Open(t)
	tell(t, k, chapter("prod", b, c))
	wantChapter(t, k, chapter("prod", b, c))
	tell(t, k, chapter("prod", a, b, c)) // what was forgotten can come again
	wantChapter(t, k, chapter("prod", a, b, c))
}

// largeRelease is one that can't be made small, as large as releases may become.
func largeRelease(t *testing.T, f HistoryStoreFixture) {
	random, noise := rand.New(rand.NewPCG(1, 2)), make([]byte, 3<<20)
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	for i := range noise {
		noise[i] = letters[random.IntN(len(letters))]
	}
	c := chapter("prod", savedRelease(0, ""), savedRelease(1, string(noise)))
	k := f.Open(t)
	tell(t, k, c)
	got, err := k.LoadHistory(context.Background(), "sample", "prod")
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, c) {
		t.Error("what was read is not what was written")
	}
	next := chapter("prod", savedRelease(2, ""))
	k = f.Open(t)
	tell(t, k, next)
	wantChapter(t, k, next)
}

func chaptersApart(t *testing.T, f HistoryStoreFixture) {
	prod, staging := chapter("prod", savedRelease(0, "")), chapter("staging", savedRelease(0, ""), savedRelease(1, ""))
	k := f.Open(t)
	tell(t, k, prod)
	tell(t, k, staging)
	wantChapter(t, k, prod)
	wantChapter(t, k, staging)
}

func tampered(t *testing.T, make func(t *testing.T) HistoryStoreFixture) {
	c := chapter("prod", savedRelease(0, ""), savedRelease(1, ""))
	for _, id := range []delivery.ReleaseID{c.Releases[0].ID, ""} {
		for way := 0; ; way++ {
			f := make(t)
			k := f.Open(t)
			tell(t, k, c)
			if !f.Damage(t, id, way) {
				break
			}
			if got, err := k.LoadHistory(context.Background(), c.Service, c.Environment); !fault.Is(err, fault.Corrupt) {
				t.Errorf("record %q spoiled, way %d: read %+v, %v; want an error of kind %s", id, way, got, err, fault.Corrupt)
			}
		}
	}
}

// newerChapter has fields that this program does not know.
func newerChapter(t *testing.T, f HistoryStoreFixture) {
	c := chapter("prod", savedRelease(0, ""), savedRelease(1, ""))
	c.Models = []delivery.ModelVersion{{ModelRef: *c.Releases[0].Release.Model, CreatedAt: minute(1), Unknown: unknownFields}}
	for i := range c.Deployments {
		c.Deployments[i].Unknown, c.Deployments[i].Inputs.Unknown = unknownFields, unknownFields
		c.Deployments[i].Config = &delivery.Configuration{Unknown: unknownFields, Workload: delivery.Workload{Unknown: unknownFields}}
	}
	r := &c.Releases[0]
	r.Unknown, r.Release.Unknown, r.Release.Workload.Unknown, r.Origin.Unknown = unknownFields, unknownFields, unknownFields, unknownFields
	r.Quarantined = &delivery.Quarantine{Release: r.ID, Since: r.CreatedAt, Unknown: unknownFields}
	k := f.Open(t)
	tell(t, k, c)
	wantChapter(t, k, c)
}

func extendedByAnother(t *testing.T, f HistoryStoreFixture) {
	a, b, c := savedRelease(0, ""), savedRelease(1, ""), savedRelease(2, "")
	ours := f.Open(t)
	tell(t, ours, chapter("prod", a))
	theirs := f.Open(t)
	tell(t, theirs, chapter("prod", a, b))
	ours = f.Open(t)
	behind := chapter("prod", a, c) // it does not know of b
	behind.Deployments[0].State, behind.Deployments[0].ServingAt = delivery.Deploying, time.Time{}
	behind.Deployments[1].State, behind.Deployments[1].EndedAt = delivery.Serving, time.Time{}
	if err := ours.SaveHistory(context.Background(), behind); !fault.Is(err, fault.Conflict) {
		t.Errorf("error = %v, want one of kind %s", err, fault.Conflict)
	}
	wantChapter(t, ours, chapter("prod", a, b))
	tell(t, ours, chapter("prod", a, b, c))
	wantChapter(t, ours, chapter("prod", a, b, c))
}
