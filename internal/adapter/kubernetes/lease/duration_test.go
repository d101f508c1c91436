package lease

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/fakeapi"
	"github.com/slipway-cd/slipway/internal/fault"
)

// TestLease_AbsurdDuration: whoever may write leases can't keep a run waiting for ten
// minutes: it fails at once, and names who wrote the lease and how to remove it.
func TestLease_AbsurdDuration(t *testing.T) {
	for name, c := range map[string]struct {
		seconds int64
		refused bool
	}{
		"of Slipway": {20, false},
		"long":       {300, false},
		"too long":   {301, true},
		"for ever":   {2147483647, true},
	} {
		t.Run(name, func(t *testing.T) {
			server, now := fakeapi.New(t), newClock()
			mustAcquire(t, wanting(server, "a", now), new(observation), "")
			written := metav1.NewTime(now.time())
			server.Edit(leasePath, func(o *unstructured.Unstructured) {
				if err := unstructured.SetNestedField(o.Object, c.seconds, "spec", "leaseDurationSeconds"); err != nil {
					t.Fatal(err)
				}
				o.SetManagedFields([]metav1.ManagedFieldsEntry{{Manager: "slipway"}, {Manager: "kubectl-edit\x1b[2K", Time: &written}})
			})
			b := wanting(server, "b", now)
			start := now.time()
			_, err := b.tryAcquire(t.Context(), new(observation))
			if !c.refused {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			text, hint := "", fault.HintOf(err)
			if err != nil {
				text = err.Error()
			}
			for _, want := range []string{"run a on host-a", "last written by kubectl-edit", "2026-03-01T12:00:00Z"} {
				if !strings.Contains(text, want) {
					t.Errorf("error %q lacks %q", text, want)
				}
			}
			if !fault.Is(err, fault.Conflict) || strings.Contains(text, "\x1b") || !strings.Contains(hint, "kubectl -n ns delete lease slipway-api-prod") {
				t.Errorf("error %q, hint %q", text, hint)
			}
			if waited := now.time().Sub(start); waited > time.Second {
				t.Errorf("it waited for %s", waited)
			}
			mustAcquire(t, wanting(server, "a", now), new(observation), "") // its own run is not kept out
		})
	}
}
