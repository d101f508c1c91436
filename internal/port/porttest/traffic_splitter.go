package porttest

import (
	"context"
	"math"
	"net/http"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// TestTrafficSplitter tests a target against the contract of port.TrafficSplitter.
func TestTrafficSplitter(t *testing.T, make func(t *testing.T) TargetFixture) {
	for _, c := range []struct {
		name string
		run  func(*testing.T, TargetFixture)
	}{
		{"no other release", testSetWeightRefused},
		{"share of the traffic", testSetWeightShare},
		{"discarded", testSetWeightDiscard},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t, make(t)) })
	}
}

func setWeight(t *testing.T, f TargetFixture, o port.DeployRequest, percent int) float64 {
	t.Helper()
	actual, err := splitter(t, f).SetWeight(context.Background(), o, percent, func(string) {})
	if err != nil {
		t.Fatalf("set the weight of %s to %d %%: %v", o.ID, percent, err)
	}
	if actual <= 0 || actual >= 100 {
		t.Errorf("actual weight = %g %%, want more than 0 and less than 100", actual)
	}
	return actual
}

func splitter(t *testing.T, f TargetFixture) port.TrafficSplitter {
	t.Helper()
	s, ok := f.Target.(port.TrafficSplitter)
	if !ok {
		t.Fatalf("%T does not implement port.TrafficSplitter", f.Target)
	}
	return s
}

func testSetWeightRefused(t *testing.T, f TargetFixture) {
	a, b := f.Request(Sample{Version: "a"}), f.Request(Sample{Version: "b"})
	try := func(o port.DeployRequest, why string) {
		t.Helper()
		if _, err := splitter(t, f).SetWeight(context.Background(), o, 50, func(string) {}); !fault.Is(err, fault.Conflict) {
			t.Errorf("%s: error = %v, want one of kind %s", why, err, fault.Conflict)
		}
	}
	try(a, "nothing is deployed")
	stage(t, f, a)
	try(a, "no other release serves traffic")
	url := deploy(t, f, a).Address()
	try(a, "it serves itself")
	try(b, "it is not staged")
	f.want(t, url, a.ID)
}

// testSetWeightShare sends enough requests to notice a share that is a fifth off.
func testSetWeightShare(t *testing.T, f TargetFixture) {
	const asked, tolerance = 300, 15 // requests, percent: five standard deviations
	a, b := f.Request(Sample{Version: "a"}), f.Request(Sample{Version: "b"})
	url := deploy(t, f, a).Address()
	stage(t, f, b)
	actual := setWeight(t, f, b, 50)
	if again := setWeight(t, f, b, 50); again != actual {
		t.Errorf("actual weight the second time = %g %%, want %g %%", again, actual)
	}
	got := map[delivery.ReleaseID]int{}
	for range asked {
		id, err := f.ask(url)
		if err != nil {
			t.Fatal(err)
		}
		got[id]++
	}
	if share := 100 * float64(got[b.ID]) / asked; math.Abs(share-actual) > tolerance || got[a.ID]+got[b.ID] != asked {
		t.Errorf("%d requests were answered by %v: %.0f %% by %s, want about %.0f %%", asked, got, share, b.ID, actual)
	}
	if obs := observe(t, f, a); obs.Release != a.ID {
		t.Errorf("current release = %s while %s only has a share, want %s", obs.Release, b.ID, a.ID)
	}
	if _, err := f.Target.Promote(context.Background(), b, func(string) {}); err != nil {
		t.Fatal(err)
	}
	for range 20 {
		f.want(t, url, b.ID)
	}
}

func testSetWeightDiscard(t *testing.T, f TargetFixture) {
	a, b := f.Request(Sample{Version: "a"}), f.Request(Sample{Version: "b"})
	url := deploy(t, f, a).Address()
	stage(t, f, b)
	setWeight(t, f, b, 30)
	if err := f.Target.Discard(context.Background(), b); err != nil {
		t.Fatal(err)
	}
	for range 20 {
		f.want(t, url, a.ID)
	}
	wantEnded(t, f, b)
}

// ask sends one request on a connection of its own: those that stay open stay
// where they are.
func (f TargetFixture) ask(url string) (delivery.ReleaseID, error) {
	if f.Answer != nil {
		return f.Answer(url)
	}
	lone := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}
	return answeringBy(lone, url)
}

func (f TargetFixture) want(t *testing.T, url string, id delivery.ReleaseID) {
	t.Helper()
	if got, err := f.ask(url); err != nil || got != id {
		t.Errorf("%s is answered by %q (%v), want %s", url, got, err, id)
	}
}
