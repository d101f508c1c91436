package manifest

import (
	"fmt"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/fakeapi"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/labels"
	"github.com/slipway-cd/slipway/internal/delivery"
)

func deployment(t testing.TB, spec string) *unstructured.Unstructured {
	t.Helper()
	return fakeapi.Object(t, "{apiVersion: apps/v1, kind: Deployment, metadata: {name: api}, spec: "+spec+"}")
}

func TestHold(t *testing.T) {
	d := deployment(t, "{replicas: 3, minReadySeconds: 5, progressDeadlineSeconds: 60, strategy: {rollingUpdate: {maxSurge: 25%, maxUnavailable: 1}}}")
	before := d.DeepCopy()
	held := Hold(d, "r-1", 2)
	if diff := cmp.Diff(before.Object, d.Object); diff != "" {
		t.Errorf("the argument was changed (-want +got):\n%s", diff)
	}
	want := fakeapi.Object(t, `{apiVersion: apps/v1, kind: Deployment, metadata: {name: api, annotations: {slipway.dev/held: r-1}}, spec: {replicas: 3,
		minReadySeconds: 1000000000, progressDeadlineSeconds: 1000000600, strategy: {type: RollingUpdate, rollingUpdate: {maxSurge: 2, maxUnavailable: 0}}}}`)
	if diff := cmp.Diff(want.Object, held.Object); diff != "" {
		t.Errorf("held (-want +got):\n%s", diff)
	}
	if holdProgressDeadline > math.MaxInt32 {
		t.Error("the progress deadline exceeds an int32")
	}
	if holdProgressDeadline <= holdSeconds {
		t.Error("the API requires the progress deadline to be later than minReadySeconds")
	}
	if id := HeldFor(held); id != "r-1" {
		t.Errorf("HeldFor = %q, want r-1", id)
	}
	if id := HeldFor(d); id != "" {
		t.Errorf("HeldFor without a hold = %q", id)
	}
	if id := HeldFor(nil); id != "" {
		t.Errorf("HeldFor(nil) = %q", id)
	}
}

// TestHold_StartsAtLeastOnePod: without a surge the Deployment would do nothing.
func TestHold_StartsAtLeastOnePod(t *testing.T) {
	held := Hold(deployment(t, "{}"), "r-1", 0)
	if n, _, _ := unstructured.NestedInt64(held.Object, "spec", "strategy", "rollingUpdate", "maxSurge"); n != 1 {
		t.Errorf("maxSurge = %d, want 1", n)
	}
}

// TestHold_KeepsRecreate: a Deployment that ends its old pods first is only annotated.
func TestHold_KeepsRecreate(t *testing.T) {
	d := deployment(t, "{strategy: {type: Recreate}}")
	held := Hold(d, "r-1", 1)
	if HeldFor(held) != "r-1" {
		t.Error("it is not annotated")
	}
	held.SetAnnotations(nil)
	if diff := cmp.Diff(d.Object, held.Object); diff != "" {
		t.Errorf("it was changed (-want +got):\n%s", diff)
	}
}

func TestSelect(t *testing.T) {
	for _, c := range []struct {
		name, spec string
		id         delivery.ReleaseID
		want       map[string]string
	}{
		{"one release", "{selector: {app: api}}", "r-1", map[string]string{"app": "api", labels.Release: "r-1"}},
		{"another", "{selector: {app: api, slipway.dev/release: r-1}}", "r-2", map[string]string{"app": "api", labels.Release: "r-2"}},
		{"all", "{selector: {app: api, slipway.dev/release: r-1}}", "", map[string]string{"app": "api"}},
		{"all already", "{selector: {app: api}}", "", map[string]string{"app": "api"}},
		{"without a selector", "{}", "r-1", map[string]string{labels.Release: "r-1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := fakeapi.Object(t, "{apiVersion: v1, kind: Service, metadata: {name: api}, spec: "+c.spec+"}")
			before := s.DeepCopy()
			got, _, err := unstructured.NestedStringMap(Select(s, c.id).Object, "spec", "selector")
			if diff := cmp.Diff(c.want, got); err != nil || diff != "" {
				t.Errorf("error = %v, selector (-want +got):\n%s", err, diff)
			}
			if diff := cmp.Diff(before.Object, s.Object); diff != "" {
				t.Errorf("the argument was changed (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWantedReplicas(t *testing.T) {
	three, five, none := "{replicas: 3}", "{replicas: 5}", "{}"
	for _, c := range []struct {
		name, live, manifest string
		total, wanted        int64
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
				live = deployment(t, c.live)
			}
			manifest := deployment(t, c.manifest)
			if n := replicasOf(live, manifest); n != c.total {
				t.Errorf("replicasOf = %d, want %d", n, c.total)
			}
			if n := WantedReplicas(live, manifest); n != c.wanted {
				t.Errorf("WantedReplicas = %d, want %d", n, c.wanted)
			}
		})
	}
}

func TestMaxSurge(t *testing.T) {
	for _, c := range []struct {
		surge    string // of the manifest
		replicas int64
		want     int64
	}{
		{"", 1, 1},
		{"", 4, 4}, // a few start together
		{"", 5, 2}, // the API rounds 25% up
		{"25%", 8, 2},
		{"100%", 3, 3},
		{"200%", 3, 3}, // never more than all at once
		{"0", 3, 1},    // without a surge nothing could be staged
		{"0%", 3, 1},
		{"2", 3, 2},
		{"7", 3, 3},
		{"99999999999", 3, 3},
		{"many", 3, 1},
		{"50%", 0, 1},
		{"1", 0, 1},
	} {
		t.Run(fmt.Sprintf("%q of %d", c.surge, c.replicas), func(t *testing.T) {
			spec := "{}"
			if c.surge != "" {
				spec = "{strategy: {rollingUpdate: {maxSurge: " + c.surge + "}}}"
			}
			if n := MaxSurge(deployment(t, spec), c.replicas); n != c.want {
				t.Errorf("MaxSurge = %d, want %d", n, c.want)
			}
		})
	}
}

func TestCanaryReplicas(t *testing.T) {
	for _, c := range []struct {
		n       int64
		percent int
		canary  int64
		actual  float64
	}{
		{1, 10, 1, 50}, // pods cannot be divided
		{3, 25, 1, 25},
		{9, 10, 1, 10},
		{10, 50, 10, 50},
		{4, 50, 4, 50},
		{100, 1, 1, 100.0 / 101},
		{19, 5, 1, 5},
		{4, 99, 4, 50}, // not more than the old ones
		{0, 10, 1, 100},
	} {
		t.Run(fmt.Sprintf("%d %% of %d", c.percent, c.n), func(t *testing.T) {
			canary, actual := CanaryReplicas(c.n, c.percent)
			if canary != c.canary || math.Abs(actual-c.actual) > 1e-9 {
				t.Errorf("CanaryReplicas = %d pods, %g %%; want %d, %g %%", canary, actual, c.canary, c.actual)
			}
		})
	}
}

// TestCanaryReplicas_Bounds: at least one pod is started, and never more than there are
// old ones.
func TestCanaryReplicas_Bounds(t *testing.T) {
	for n := int64(0); n < 60; n++ {
		last := int64(0)
		for percent := 1; percent <= 99; percent++ {
			canary, actual := CanaryReplicas(n, percent)
			if canary < 1 || canary > max(n, 1) || actual <= 0 || actual > 100 || canary < last {
				t.Fatalf("CanaryReplicas(%d, %d) = %d, %g", n, percent, canary, actual)
			}
			last = canary
		}
	}
}
