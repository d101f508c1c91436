package client

import (
	"net/http"
	"strings"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// recentLists keeps what was listed a moment ago: the steps of a run look at the same
// objects one after the other, and share a request then. Whatever this client writes
// ends it, so that a change is always seen by who made it.
type recentLists struct {
	mu     sync.Mutex
	maxAge time.Duration // 0: nothing is kept
	epoch  uint64        // grows when something is forgotten
	lists  map[listKey]recentList
}

type listKey struct{ resource, selector string }

type recentList struct {
	at    time.Time
	items []unstructured.Unstructured
}

// get returns a copy of a recent list.
func (r *recentLists) get(resource, selector string) (items []unstructured.Unstructured, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	known, ok := r.lists[listKey{resource, selector}]
	if !ok || time.Since(known.at) >= r.maxAge {
		return nil, false
	}
	return copied(known.items), true
}

func (r *recentLists) setMaxAge(maxAge time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.maxAge = maxAge
}

// current returns the epoch of what is listed now.
func (r *recentLists) current() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.epoch
}

// put keeps a list that was requested at that time and in that epoch.
func (r *recentLists) put(resource, selector string, at time.Time, epoch uint64, items []unstructured.Unstructured) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.maxAge == 0 || epoch != r.epoch {
		return
	}
	if r.lists == nil {
		r.lists = map[listKey]recentList{}
	}
	r.lists[listKey{resource, selector}] = recentList{at, copied(items)}
}

// forget forgets the lists of a resource; "": all.
func (r *recentLists) forget(resource string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.epoch++
	for k := range r.lists {
		if resource == "" || k.resource == resource {
			delete(r.lists, k)
		}
	}
}

func copied(items []unstructured.Unstructured) []unstructured.Unstructured {
	out := make([]unstructured.Unstructured, len(items))
	for i := range items {
		items[i].DeepCopyInto(&out[i])
	}
	return out
}

// forgetter makes lists forget what a request writes.
type forgetter struct {
	next  http.RoundTripper
	lists *recentLists
}

// RoundTrip forgets before the request, and after it: a list that was answered in
// between may be older than the change.
func (f forgetter) RoundTrip(req *http.Request) (*http.Response, error) {
	resource, writes := writtenResource(req)
	if !writes {
		return f.next.RoundTrip(req)
	}
	f.lists.forget(resource)
	defer f.lists.forget(resource)
	return f.next.RoundTrip(req)
}

// writtenResource returns what a request changes; "": more than itself, since
// controllers follow. None follows a Lease or a ConfigMap.
func writtenResource(req *http.Request) (resource string, writes bool) {
	if req.Method == http.MethodGet || req.Method == http.MethodHead || req.URL.Query().Has("dryRun") {
		return "", false
	}
	_, rest, _ := strings.Cut(req.URL.Path, "/namespaces/")
	switch words := strings.Split(rest, "/"); {
	case len(words) < 2:
		return "", true
	case words[1] == "leases", words[1] == "configmaps":
		return words[1], true
	}
	return "", true
}
