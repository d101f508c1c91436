package fakeapi

import (
	"io"
	"net/http"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/json"
)

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

// decode reads JSON as objects have it: whole numbers are int64.
func decode(from io.Reader, to *map[string]any) error {
	raw, err := io.ReadAll(from)
	if err != nil {
		return err
	}
	return json.Unmarshal(raw, to)
}

func mergeInto(object, patch map[string]any) {
	for key, value := range patch {
		inner, isMap := value.(map[string]any)
		old, wasMap := object[key].(map[string]any)
		switch {
		case value == nil:
			delete(object, key)
		case isMap && wasMap:
			mergeInto(old, inner)
		default:
			object[key] = value
		}
	}
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
