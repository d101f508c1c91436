package readiness_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/labels"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/readiness"
)

// No pod, event, node or object, however malformed, makes Assess panic, return text that
// is not one printable line, or modify its input.
func FuzzAssess(f *testing.F) {
	for _, s := range seeds() {
		pods, _ := json.Marshal(s.Pods)
		events, _ := json.Marshal(s.Events)
		f.Add(pods, events, []byte(`[{"kind":"Deployment","status":{"conditions":[{"type":1}]}}]`), s.Held, int64(s.Now.Sub(epoch).Seconds()))
	}
	f.Fuzz(func(t *testing.T, pods, events, objects []byte, held bool, seconds int64) {
		s := snapshot(int(seconds % 1e6))
		s.Held = held
		// Partially decoded input is fine.
		_ = json.Unmarshal(pods, &s.Pods)
		_ = json.Unmarshal(pods, &s.OldPods)
		_ = json.Unmarshal(events, &s.Events)
		_ = json.Unmarshal(pods, &s.Nodes)
		_ = json.Unmarshal(pods, &s.ReplicaSets)
		var all []map[string]any
		_ = json.Unmarshal(objects, &all)
		for _, o := range all {
			s.Workloads = append(s.Workloads, &unstructured.Unstructured{Object: o})
		}
		s.Objects = append(s.Objects, s.Workloads...)
		for i := range s.Pods {
			s.Pods[i].Labels = map[string]string{labels.Release: string(s.Release)}
		}
		checkSound(t, s)
	})
}

// BenchmarkAssess assesses 500 new and 500 old pods, as after each change of one of
// them.
func BenchmarkAssess(b *testing.B) {
	s := snapshot(20)
	s.MinReady["api"] = 500
	for i := range 500 {
		name := fmt.Sprintf("api-77-%03d", i)
		s.Pods = append(s.Pods, pod(name, running(1), withReadinessProbe(&corev1.Probe{})))
		s.OldPods = append(s.OldPods, oldPod(readySince(-1000, -999)))
		s.Events = append(s.Events, event(name, "Unhealthy", message503, 1, 2))
	}
	b.ReportAllocs()
	for b.Loop() {
		readiness.Assess(s)
	}
}

func seeds() []readiness.Snapshot {
	return []readiness.Snapshot{
		snapshot(3, pod("api-77-a", terminated(1, 137, "OOMKilled", 2), waiting("CrashLoopBackOff", "back-off"))),
		snapshot(3, pod("api-77-a", initContainer)),
		withEvents(snapshot(9, pod("api-77-a", waiting("ImagePullBackOff", "Back-off pulling image"))), event("api-77-a", "Failed", "Failed to pull image: not found", 1, 2)),
		snapshot(70, pod("api-77-a", withResources("cpu", "64", "64"), unschedulable("0/1 nodes are available: 1 Insufficient cpu."))),
		probeFailing(40, 31, corev1.Probe{PeriodSeconds: 5}, message503),
		withEvents(snapshot(40, pod("api-77-a")), event("api-77-a", "FailedMount", "not found", 1, 2)),
		modified(snapshot(40, pod("api-77-a", deletedAt(1, "x"))), func(s *readiness.Snapshot) { s.Held = false }),
	}
}

func checkSound(t *testing.T, s readiness.Snapshot) {
	t.Helper()
	before, _ := json.Marshal(s.Pods)
	v := readiness.Assess(s)
	if after, _ := json.Marshal(s.Pods); string(before) != string(after) {
		t.Fatal("Assess modified the snapshot")
	}
	if again := readiness.Assess(s); !reflect.DeepEqual(v, again) {
		t.Fatalf("second Assess differs (-first +second):\n%s", cmp.Diff(v, again))
	}
	if (v.State == readiness.Failed) != (v.Cause != "") || (v.State == readiness.Failed) != (v.Kind != "") {
		t.Fatalf("%s with cause %q of kind %q", v.State, v.Cause, v.Kind)
	}
	for _, said := range []string{v.Cause, v.Hint, v.Progress} {
		odd := strings.IndexFunc(said, func(r rune) bool { return !unicode.IsPrint(r) })
		if odd >= 0 || !utf8.ValidString(said) || utf8.RuneCountInString(said) > 2000 {
			t.Fatalf("unprintable or too long: %q", said)
		}
	}
}

// Fields are removed from the snapshots at random: informers and old clusters omit some.
func TestAssess_PartialStatuses(t *testing.T) {
	const seed = 7
	r := rand.New(rand.NewPCG(seed, seed))
	for i := range 3000 {
		s := seeds()[i%len(seeds())]
		s.Held = r.IntN(2) == 0
		for k := range s.Pods {
			dropFields(r, reflect.ValueOf(&s.Pods[k].Spec).Elem(), 0)
			dropFields(r, reflect.ValueOf(&s.Pods[k].Status).Elem(), 0)
		}
		for k := range s.Events {
			dropFields(r, reflect.ValueOf(&s.Events[k]).Elem(), 0)
		}
		checkSound(t, s)
	}
}

// dropFields sets random fields to their zero value.
func dropFields(r *rand.Rand, v reflect.Value, depth int) {
	if !v.CanSet() || depth > 8 {
		return
	}
	if r.IntN(12) == 0 {
		v.SetZero()
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			dropFields(r, v.Field(i), depth+1)
		}
	case reflect.Slice:
		for i := range v.Len() {
			dropFields(r, v.Index(i), depth+1)
		}
	case reflect.Pointer:
		if !v.IsNil() {
			dropFields(r, v.Elem(), depth+1)
		}
	}
}
