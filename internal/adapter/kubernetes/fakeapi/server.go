// Package fakeapi provides API servers for tests: one that stores objects, one with
// pods behind it, and ones that do not answer.
package fakeapi

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
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/client"
)

// Server is as much of an API server as leases and records need: objects of
// any kind by their path, with resourceVersions that are compared. Applying replaces;
// watches are not supported.
type Server struct {
	t testing.TB

	mu       sync.Mutex
	version  int
	objects  map[string]*unstructured.Unstructured // by path
	requests []string                              // "GET /path"

	// Before is called with each request, and may fail it; After may lose its
	// response. nil: neither.
	Before func(req *http.Request) error
	After  func(req *http.Request) error
}

// New returns an empty server.
func New(t testing.TB) *Server {
	return &Server{t: t, objects: map[string]*unstructured.Unstructured{}}
}

// Client returns a client in namespace ns.
func (s *Server) Client() *client.Client {
	return newClient(s.t, &rest.Config{Host: "http://api.test", Transport: s})
}

// ClientAt returns a client of the server at url, in namespace ns.
func ClientAt(t testing.TB, url string) *client.Client { return newClient(t, &rest.Config{Host: url}) }

func newClient(t testing.TB, config *rest.Config) *client.Client {
	t.Helper()
	c, err := client.New(config, "ns", "namespace ns")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// RoundTrip implements http.RoundTripper.
func (s *Server) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := req.Context().Err(); err != nil {
		return nil, err
	}
	if s.Before != nil {
		if err := s.Before(req); err != nil {
			return nil, err
		}
	}
	code, content := s.Respond(req)
	if s.After != nil {
		if err := s.After(req); err != nil {
			return nil, err
		}
	}
	raw, err := json.Marshal(content)
	if err != nil {
		return nil, err
	}
	return &http.Response{
		StatusCode: code, Header: http.Header{"Content-Type": {"application/json"}},
		Body: io.NopCloser(bytes.NewReader(raw)), Request: req,
	}, nil
}

// Respond carries out a request.
func (s *Server) Respond(req *http.Request) (int, any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	path := req.URL.Path
	s.requests = append(s.requests, req.Method+" "+path)
	if path == "/version" {
		return http.StatusOK, map[string]any{"major": "1", "minor": "36"}
	}
	existing, ok := s.objects[path]
	switch req.Method {
	case http.MethodPost:
		o := readObject(s.t, req)
		path += "/" + o.GetName()
		if _, ok := s.objects[path]; ok {
			return failure(http.StatusConflict, metav1.StatusReasonAlreadyExists, path)
		}
		return http.StatusCreated, s.put(path, o)
	case http.MethodPatch: // apply, or merge
		if req.Header.Get("Content-Type") == string(types.MergePatchType) {
			return s.merge(path, req)
		}
		o := readObject(s.t, req)
		if v := o.GetResourceVersion(); v != "" && (!ok || v != existing.GetResourceVersion()) {
			return failure(http.StatusConflict, metav1.StatusReasonConflict, path)
		}
		return http.StatusOK, s.put(path, o)
	}
	switch {
	case !ok && req.Method == http.MethodGet && isCollection(path):
		return http.StatusOK, s.list(path, req.URL.Query().Get("labelSelector"))
	case !ok:
		return failure(http.StatusNotFound, metav1.StatusReasonNotFound, path)
	case req.Method == http.MethodPut:
		o := readObject(s.t, req)
		if o.GetResourceVersion() != existing.GetResourceVersion() {
			return failure(http.StatusConflict, metav1.StatusReasonConflict, path)
		}
		return http.StatusOK, s.put(path, o)
	case req.Method == http.MethodDelete:
		delete(s.objects, path)
		return http.StatusOK, metav1.Status{TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: metav1.StatusSuccess}
	}
	return http.StatusOK, existing
}

// isCollection reports whether a path is that of a kind: what follows namespaces/ns/
// is a kind, and perhaps a name.
func isCollection(path string) bool {
	_, rest, _ := strings.Cut(path, "/namespaces/ns/")
	return rest != "" && !strings.Contains(rest, "/")
}

// Put stores an object under a new resourceVersion.
func (s *Server) Put(path string, o *unstructured.Unstructured) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.put(path, o)
}

// Touch stores an object again, as if its writer had renewed it.
func (s *Server) Touch(path string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.put(path, s.objects[path])
}

func (s *Server) put(path string, o *unstructured.Unstructured) *unstructured.Unstructured {
	s.version++
	o.SetResourceVersion(fmt.Sprint(s.version))
	o.SetNamespace("ns")
	s.objects[path] = o
	return o
}

func (s *Server) list(path, selector string) any {
	match, err := labels.Parse(selector)
	if err != nil {
		s.t.Error(err)
	}
	var found []string
	for p, o := range s.objects {
		if rest, ok := strings.CutPrefix(p, path+"/"); ok && !strings.Contains(rest, "/") && match.Matches(labels.Set(o.GetLabels())) {
			found = append(found, p)
		}
	}
	sort.Strings(found)
	items := []any{}
	for _, p := range found {
		items = append(items, s.objects[p].Object)
	}
	return map[string]any{"apiVersion": "v1", "kind": "List", "metadata": map[string]any{}, "items": items}
}

func readObject(t testing.TB, req *http.Request) *unstructured.Unstructured {
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

func failure(code int, reason metav1.StatusReason, path string) (int, any) {
	return code, metav1.Status{
		TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: metav1.StatusFailure,
		Code: int32(code), Reason: reason, Message: path + ": " + string(reason),
	}
}

// Edit edits an object by hand.
func (s *Server) Edit(path string, edit func(*unstructured.Unstructured)) {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	o, ok := s.objects[path]
	if !ok {
		s.t.Fatalf("%s not found", path)
	}
	edit(o)
	s.put(path, o)
}

// Remove removes an object.
func (s *Server) Remove(path string) {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.objects[path]; !ok {
		s.t.Fatalf("%s not found", path)
	}
	delete(s.objects, path)
}

// Objects returns the objects at this moment: leases are renewed meanwhile.
func (s *Server) Objects() map[string]*unstructured.Unstructured {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.objects)
}

// Without removes an object for as long as do takes.
func (s *Server) Without(path string, do func()) {
	s.t.Helper()
	s.mu.Lock()
	removed, ok := s.objects[path]
	delete(s.objects, path)
	s.mu.Unlock()
	if !ok {
		s.t.Fatalf("%s not found", path)
	}
	do()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.objects[path] = removed
}

// merge changes an object, where the request has a value for it.
func (s *Server) merge(path string, req *http.Request) (int, any) {
	existing, ok := s.objects[path]
	if !ok {
		return failure(http.StatusNotFound, metav1.StatusReasonNotFound, path)
	}
	var patch map[string]any
	if err := decode(req.Body, &patch); err != nil {
		s.t.Errorf("%s %s: %v", req.Method, path, err)
	}
	changed := existing.DeepCopy()
	mergeInto(changed.Object, patch)
	return http.StatusOK, s.put(path, changed)
}

// Change replaces an object by a changed copy: responses may still hold the old one.
func (s *Server) Change(path string, change func(*unstructured.Unstructured)) {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	o, ok := s.objects[path]
	if !ok {
		s.t.Errorf("%s not found", path)
		return
	}
	o = o.DeepCopy()
	change(o)
	s.put(path, o)
}
