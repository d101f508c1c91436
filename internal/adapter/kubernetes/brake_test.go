package kubernetes

import (
	"math"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/slipway-cd/slipway/internal/delivery"
)

// parse reads one object from YAML.
func parse(t testing.TB, text string) *unstructured.Unstructured {
	t.Helper()
	raw, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	o := new(unstructured.Unstructured)
	if err := o.UnmarshalJSON(raw); err != nil {
		t.Fatal(err)
	}
	return o
}

func deploymentWith(t testing.TB, spec string) *unstructured.Unstructured {
	t.Helper()
	return parse(t, "{apiVersion: apps/v1, kind: Deployment, metadata: {name: api}, spec: "+spec+"}")
}

func TestBrake(t *testing.T) {
	d := deploymentWith(t, "{replicas: 3, minReadySeconds: 5, progressDeadlineSeconds: 60, strategy: {rollingUpdate: {maxSurge: 25%, maxUnavailable: 1}}}")
	before := d.DeepCopy()
	held := brake(d, "r-1", 2)
	if !equal(d, before) {
		t.Error("the object that was given was changed")
	}
	want := parse(t, `{apiVersion: apps/v1, kind: Deployment, metadata: {name: api, annotations: {slipway.dev/held: r-1}}, spec: {replicas: 3,
		minReadySeconds: 1000000000, progressDeadlineSeconds: 1000000600, strategy: {type: RollingUpdate, rollingUpdate: {maxSurge: 2, maxUnavailable: 0}}}}`)
	if !equal(held, want) {
		t.Errorf("held: %s\nwant: %s", plain(held), plain(want))
	}
	if brakeDeadline > math.MaxInt32 {
		t.Error("the progress deadline is no int32")
	}
	if brakeDeadline <= brakeSeconds {
		t.Error("the API wants the progress deadline to be later than minReadySeconds")
	}
	if id := heldFor(held); id != "r-1" {
		t.Errorf("it is held for %q", id)
	}
	if id := heldFor(d); id != "" {
		t.Errorf("without a brake it is held for %q", id)
	}
	if id := heldFor(nil); id != "" {
		t.Errorf("nothing is held for %q", id)
	}
}

// TestBrakeStartsSomething: with no surge the Deployment would do nothing at all.
func TestBrakeStartsSomething(t *testing.T) {
	held := brake(deploymentWith(t, "{}"), "r-1", 0)
	if n, _, _ := unstructured.NestedInt64(held.Object, "spec", "strategy", "rollingUpdate", "maxSurge"); n != 1 {
		t.Errorf("maxSurge = %d, want 1", n)
	}
}

// TestBrakeRecreate: a Deployment that wants its old pods gone first gets no
// brake, and is marked all the same.
func TestBrakeRecreate(t *testing.T) {
	d := deploymentWith(t, "{strategy: {type: Recreate}}")
	held := brake(d, "r-1", 1)
	if heldFor(held) != "r-1" {
		t.Error("it is not marked")
	}
	held.SetAnnotations(nil)
	if !equal(held, d) {
		t.Errorf("it was changed: %s", plain(held))
	}
}

func TestPin(t *testing.T) {
	for _, c := range []struct {
		name, spec string
		id         delivery.ReleaseID
		want       map[string]string
	}{
		{"one release", "{selector: {app: api}}", "r-1", map[string]string{"app": "api", releaseLabel: "r-1"}},
		{"another", "{selector: {app: api, slipway.dev/release: r-1}}", "r-2", map[string]string{"app": "api", releaseLabel: "r-2"}},
		{"all", "{selector: {app: api, slipway.dev/release: r-1}}", "", map[string]string{"app": "api"}},
		{"all already", "{selector: {app: api}}", "", map[string]string{"app": "api"}},
		{"without a selector", "{}", "r-1", map[string]string{releaseLabel: "r-1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := parse(t, "{apiVersion: v1, kind: Service, metadata: {name: api}, spec: "+c.spec+"}")
			before := s.DeepCopy()
			got, _, err := unstructured.NestedStringMap(pin(s, c.id).Object, "spec", "selector")
			if err != nil || !same(got, c.want) {
				t.Errorf("the selector is %v (%v), want %v", got, err, c.want)
			}
			if !equal(s, before) {
				t.Error("the object that was given was changed")
			}
		})
	}
}

func TestReplicas(t *testing.T) {
	three, five, none := "{replicas: 3}", "{replicas: 5}", "{}"
	for _, c := range []struct {
		name, live, file string
		counts, wanted   int64
	}{
		{"first", "", three, 3, 3},
		{"first without a number", "", none, 1, 1},
		{"scaled by hand", five, three, 5, 3},
		{"scaled by an autoscaler", five, none, 5, 5},
		{"scaled to nothing", "{replicas: 0}", none, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			var live *unstructured.Unstructured
			if c.live != "" {
				live = deploymentWith(t, c.live)
			}
			file := deploymentWith(t, c.file)
			if n := replicasOf(live, file); n != c.counts {
				t.Errorf("replicasOf = %d, want %d", n, c.counts)
			}
			if n := wanted(live, file); n != c.wanted {
				t.Errorf("wanted = %d, want %d", n, c.wanted)
			}
		})
	}
}

func TestSurge(t *testing.T) {
	for _, c := range []struct {
		surge    string // of the file
		replicas int64
		want     int64
	}{
		{"", 1, 1},
		{"", 4, 4}, // a few start together
		{"", 5, 2}, // the API rounds 25% up
		{"25%", 8, 2},
		{"100%", 3, 3},
		{"200%", 3, 3}, // more than all at once there never is
		{"0", 3, 1},    // old pods first is nothing that a slipway can do
		{"0%", 3, 1},
		{"2", 3, 2},
		{"7", 3, 3},
		{"99999999999", 3, 3},
		{"many", 3, 1},
		{"50%", 0, 1},
		{"1", 0, 1},
	} {
		spec := "{}"
		if c.surge != "" {
			spec = "{strategy: {rollingUpdate: {maxSurge: " + c.surge + "}}}"
		}
		if n := surgeOf(deploymentWith(t, spec), c.replicas); n != c.want {
			t.Errorf("maxSurge %q of %d: %d, want %d", c.surge, c.replicas, n, c.want)
		}
	}
}

func TestShare(t *testing.T) {
	for _, c := range []struct {
		n       int64
		percent int
		beside  int64
		actual  float64
	}{
		{1, 10, 1, 50}, // pods can't be cut in pieces
		{3, 25, 1, 25},
		{9, 10, 1, 10},
		{10, 50, 10, 50},
		{4, 50, 4, 50},
		{100, 1, 1, 100.0 / 101},
		{19, 5, 1, 5},
		{4, 99, 4, 50}, // no more than those that serve
		{0, 10, 1, 100},
	} {
		beside, actual := share(c.n, c.percent)
		if beside != c.beside || math.Abs(actual-c.actual) > 1e-9 {
			t.Errorf("%d %% beside %d: %d pods, %g %%; want %d, %g", c.percent, c.n, beside, actual, c.beside, c.actual)
		}
	}
}

// TestShareBounds: whatever is asked for, some pod is started, and never more
// than serve.
func TestShareBounds(t *testing.T) {
	for n := int64(0); n < 60; n++ {
		last := int64(0)
		for percent := 1; percent <= 99; percent++ {
			beside, actual := share(n, percent)
			if beside < 1 || beside > max(n, 1) || actual <= 0 || actual > 100 || beside < last {
				t.Fatalf("%d %% beside %d: %d pods, %g %%", percent, n, beside, actual)
			}
			last = beside
		}
	}
}

func equal(a, b *unstructured.Unstructured) bool { return plain(a) == plain(b) }

func same(a, b map[string]string) bool {
	if len(a) != len(b) {
		return false
	}
	for k, v := range a {
		if b[k] != v {
			return false
		}
	}
	return true
}
