package client

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
)

// listing counts requests, and lists one object whose name is their number.
type listing struct{ requests int }

func (l *listing) RoundTrip(req *http.Request) (*http.Response, error) {
	l.requests++
	text := fmt.Sprintf(`{"apiVersion": "v1", "kind": "List", "items": [{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "pod-%d"}}]}`, l.requests)
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(text)), Request: req,
	}, nil
}

// listed returns the name of the pod that is listed.
func listed(t *testing.T, c *Client) string {
	t.Helper()
	items, err := c.List(t.Context(), Pods(), "a=b")
	if err != nil || len(items) != 1 {
		t.Fatalf("List = %v, %v; want one pod", items, err)
	}
	name := items[0].GetName()
	items[0].SetName("changed by who got it")
	return name
}

// TestClient_ListReuse: a list is reused until it is old, or this client has written
// what it may show.
func TestClient_ListReuse(t *testing.T) {
	write := func(path string) func(*testing.T, *Client) {
		return func(t *testing.T, c *Client) {
			t.Helper()
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPatch, "http://api.test"+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := forgetter{new(listing), c.recent}.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
		}
	}
	for _, c := range []struct {
		name   string
		maxAge time.Duration
		happen func(*testing.T, *Client)
		want   string // what the second list shows
	}{
		{"nothing happened", time.Hour, func(*testing.T, *Client) {}, "pod-1"},
		{"no reuse", 0, func(*testing.T, *Client) {}, "pod-2"},
		{"too old", time.Millisecond, func(*testing.T, *Client) { time.Sleep(5 * time.Millisecond) }, "pod-2"},
		{"forgotten", time.Hour, func(_ *testing.T, c *Client) { c.ForgetLists() }, "pod-2"},
		{"a Deployment was written", time.Hour, write("/apis/apps/v1/namespaces/ns/deployments/api"), "pod-2"},
		{"a Namespace was written", time.Hour, write("/api/v1/namespaces/ns"), "pod-2"},
		{"a dry run", time.Hour, write("/apis/apps/v1/namespaces/ns/deployments/api?dryRun=All"), "pod-1"},
		{"the lease was renewed", time.Hour, write("/apis/coordination.k8s.io/v1/namespaces/ns/leases/x"), "pod-1"},
		{"a record was written", time.Hour, write("/api/v1/namespaces/ns/configmaps/x"), "pod-1"},
		{"it was written during the list", time.Hour, func(_ *testing.T, c *Client) {
			epoch := c.recent.current()
			c.recent.forget("")
			c.recent.put("pods", "a=b", time.Now(), epoch, []unstructured.Unstructured{{Object: map[string]any{"metadata": map[string]any{"name": "old"}}}})
		}, "pod-2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			client, err := New(&rest.Config{Host: "http://api.test", Transport: new(listing)}, metav1.NamespaceDefault, "")
			if err != nil {
				t.Fatal(err)
			}
			client.ReuseLists(c.maxAge)
			if first := listed(t, client); first != "pod-1" {
				t.Fatalf("the first list shows %s, want pod-1", first)
			}
			c.happen(t, client)
			if got := listed(t, client); got != c.want {
				t.Errorf("the second list shows %s, want %s", got, c.want)
			}
		})
	}
}

// TestClient_ListReuseBySelector: lists of other kinds and selectors are others.
func TestClient_ListReuseBySelector(t *testing.T) {
	requests := new(listing)
	client, err := New(&rest.Config{Host: "http://api.test", Transport: requests}, "ns", "")
	if err != nil {
		t.Fatal(err)
	}
	client.ReuseLists(time.Hour)
	for range 2 {
		for _, k := range []Kind{Pods(), Services()} {
			for _, selector := range []string{"a=b", "a=c"} {
				if _, err := client.List(t.Context(), k, selector); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	if requests.requests != 4 {
		t.Errorf("%d requests for four different lists, want 4", requests.requests)
	}
}
