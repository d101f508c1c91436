package kubernetes

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/fakeapi"
	"github.com/slipway-cd/slipway/internal/port"
)

// TestStoredHistory reads the objects that the program of commit 16ee5d5 kept in a
// cluster: a history with a good release and a quarantined one, and its Lease.
func TestStoredHistory(t *testing.T) {
	read := func(name string, into any) {
		t.Helper()
		text, err := os.ReadFile("testdata/stored/" + name)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(text, into); err != nil {
			t.Fatal(err)
		}
	}
	server := fakeapi.New(t)
	var objects map[string]*unstructured.Unstructured
	read("cluster-objects.json", &objects)
	if len(objects) != 4 {
		t.Fatalf("%d objects were stored, want 4: two releases, the history and the Lease", len(objects))
	}
	for path, o := range objects {
		server.Put(path, o)
	}
	var want port.History
	read("cluster-history.json", &want)
	target := newTarget(t, server)
	defer target.Close()
	got, err := target.LoadHistory(t.Context(), "retail-api", "prod")
	if err != nil {
		t.Fatal(err)
	}
	if unmark(&got) != 6 {
		t.Error("some records of a program that signed nothing are taken for signed")
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the history (-want +got):\n%s", diff)
	}
	// It goes on from there: the newest deployment's run may write.
	if err := target.SaveHistory(t.Context(), want); err != nil {
		t.Errorf("write the history again: %v", err)
	}
	again, err := target.LoadHistory(t.Context(), "retail-api", "prod")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, again); diff != "" {
		t.Errorf("the history, written again (-want +got):\n%s", diff)
	}
}

// unmark removes the marks of records that nobody has signed, and counts them.
func unmark(h *port.History) (n int) {
	unmark := func(unsigned *bool) {
		if *unsigned {
			*unsigned, n = false, n+1
		}
	}
	for i := range h.Deployments {
		unmark(&h.Deployments[i].Unsigned)
	}
	for i := range h.Models {
		unmark(&h.Models[i].Unsigned)
	}
	for i := range h.Releases {
		unmark(&h.Releases[i].Unsigned)
		if q := h.Releases[i].Quarantined; q != nil {
			unmark(&q.Unsigned)
		}
	}
	return n
}
