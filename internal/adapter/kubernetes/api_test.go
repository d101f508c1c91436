package kubernetes

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"sort"
	"strings"
	"sync"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
)

// api is as much of an API server as locks and records need: objects of any kind
// by their path, with resourceVersions that are held against each other. Applying
// replaces; nothing is watched.
type api struct {
	t testing.TB

	mu      sync.Mutex
	version int
	objects map[string]*unstructured.Unstructured // by path
	asked   []string                              // "GET /path"

	// before is called with each request, and may answer in the place of the
	// server; after may lose its answer. nil: neither.
	before func(req *http.Request) error
	after  func(req *http.Request) error
}

func newAPI(t testing.TB) *api { return &api{t: t, objects: map[string]*unstructured.Unstructured{}} }

// cluster is a connection to it.
func (a *api) cluster() *cluster {
	a.t.Helper()
	config := &rest.Config{Host: "http://api.test", Transport: a, QPS: -1}
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		a.t.Fatal(err)
	}
	return &cluster{config: config, client: client, namespace: "ns", where: "namespace ns", line: new(line)}
}

// target is one Slipway that delivers there.
func (a *api) target(cfg Config) *Target {
	a.t.Helper()
	t := New(cfg)
	t.conn = a.cluster()
	return t
}

// RoundTrip is http.RoundTripper.
func (a *api) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := req.Context().Err(); err != nil {
		return nil, err
	}
	if a.before != nil {
		if err := a.before(req); err != nil {
			return nil, err
		}
	}
	code, said := a.answer(req)
	if a.after != nil {
		if err := a.after(req); err != nil {
			return nil, err
		}
	}
	raw, err := json.Marshal(said)
	if err != nil {
		return nil, err
	}
	return &http.Response{
		StatusCode: code, Header: http.Header{"Content-Type": {"application/json"}},
		Body: io.NopCloser(bytes.NewReader(raw)), Request: req,
	}, nil
}

func (a *api) answer(req *http.Request) (int, any) {
	a.mu.Lock()
	defer a.mu.Unlock()
	path := req.URL.Path
	a.asked = append(a.asked, req.Method+" "+path)
	if path == "/version" {
		return http.StatusOK, map[string]any{"major": "1", "minor": "36"}
	}
	there, ok := a.objects[path]
	switch req.Method {
	case http.MethodPost:
		o := body(a.t, req)
		path += "/" + o.GetName()
		if _, ok := a.objects[path]; ok {
			return refusal(http.StatusConflict, metav1.StatusReasonAlreadyExists, path)
		}
		return http.StatusCreated, a.put(path, o)
	case http.MethodPatch: // apply
		o := body(a.t, req)
		if v := o.GetResourceVersion(); v != "" && (!ok || v != there.GetResourceVersion()) {
			return refusal(http.StatusConflict, metav1.StatusReasonConflict, path)
		}
		return http.StatusOK, a.put(path, o)
	}
	switch {
	case !ok && req.Method == http.MethodGet && a.collection(path):
		return http.StatusOK, a.list(path, req.URL.Query().Get("labelSelector"))
	case !ok:
		return refusal(http.StatusNotFound, metav1.StatusReasonNotFound, path)
	case req.Method == http.MethodPut:
		o := body(a.t, req)
		if o.GetResourceVersion() != there.GetResourceVersion() {
			return refusal(http.StatusConflict, metav1.StatusReasonConflict, path)
		}
		return http.StatusOK, a.put(path, o)
	case req.Method == http.MethodDelete:
		delete(a.objects, path)
		return http.StatusOK, metav1.Status{TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: metav1.StatusSuccess}
	}
	return http.StatusOK, there
}

// collection tells the path of a kind from that of an object: what stands behind
// namespaces/ns/ is a kind, and perhaps a name.
func (a *api) collection(path string) bool {
	_, rest, _ := strings.Cut(path, "/namespaces/ns/")
	return rest != "" && !strings.Contains(rest, "/")
}

func (a *api) put(path string, o *unstructured.Unstructured) *unstructured.Unstructured {
	a.version++
	o.SetResourceVersion(fmt.Sprint(a.version))
	o.SetNamespace("ns")
	a.objects[path] = o
	return o
}

func (a *api) list(path, selector string) any {
	match, err := labels.Parse(selector)
	if err != nil {
		a.t.Error(err)
	}
	var found []string
	for p, o := range a.objects {
		if rest, ok := strings.CutPrefix(p, path+"/"); ok && !strings.Contains(rest, "/") && match.Matches(labels.Set(o.GetLabels())) {
			found = append(found, p)
		}
	}
	sort.Strings(found)
	items := []any{}
	for _, p := range found {
		items = append(items, a.objects[p].Object)
	}
	return map[string]any{"apiVersion": "v1", "kind": "List", "metadata": map[string]any{}, "items": items}
}

func body(t testing.TB, req *http.Request) *unstructured.Unstructured {
	t.Helper()
	raw, err := io.ReadAll(req.Body)
	if err != nil {
		t.Error(err)
	}
	o := new(unstructured.Unstructured)
	if err := o.UnmarshalJSON(raw); err != nil {
		t.Errorf("%s %s: %v", req.Method, req.URL.Path, err)
	}
	return o
}

func refusal(code int, reason metav1.StatusReason, path string) (int, any) {
	return code, metav1.Status{
		TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: metav1.StatusFailure,
		Code: int32(code), Reason: reason, Message: path + ": " + string(reason),
	}
}

// change edits an object by hand.
func (a *api) change(path string, how func(*unstructured.Unstructured)) {
	a.t.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	o, ok := a.objects[path]
	if !ok {
		a.t.Fatalf("there is no %s", path)
	}
	how(o)
	a.put(path, o)
}

// all are the objects at this moment: locks are renewed meanwhile.
func (a *api) all() map[string]*unstructured.Unstructured {
	a.mu.Lock()
	defer a.mu.Unlock()
	return maps.Clone(a.objects)
}

// without takes an object away for as long as do takes.
func (a *api) without(path string, do func()) {
	a.t.Helper()
	a.mu.Lock()
	was, ok := a.objects[path]
	delete(a.objects, path)
	a.mu.Unlock()
	if !ok {
		a.t.Fatalf("there is no %s", path)
	}
	do()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.objects[path] = was
}
