package mlflow

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// fakeServer answers the requests of this package as MLflow 3.17 does: version numbers are
// never given twice, and a run's parameters never change.
type fakeServer struct {
	*httptest.Server

	mu          sync.Mutex
	experiments []string
	runs        map[string]*fakeRun
	models      map[string]*fakeModel
	answered    int
	refuse      func(n int, r *http.Request) int // status for the n-th request; 0: answer it
	lose        func(r *http.Request) bool       // the answer is lost after the work was done
	authorized  string
}

type fakeRun struct {
	name, status, stage string
	params, tags        map[string]string
	metrics             []metric
}

type fakeModel struct {
	versions []*modelVersion // nil: deleted
	aliases  map[string]int
}

func newFakeServer(t *testing.T) *fakeServer {
	t.Helper()
	f := &fakeServer{runs: map[string]*fakeRun{}, models: map[string]*fakeModel{}}
	f.Server = httptest.NewServer(f)
	t.Cleanup(f.Close)
	return f
}

// refusal is an error of the API.
type refusal struct {
	status  int
	Code    string `json:"error_code"`
	Message string `json:"message"`
}

func missing(what string) *refusal { return &refusal{404, codeMissing, what + " not found"} }

func invalid(what string) *refusal { return &refusal{400, codeRefused, what} }

func (f *fakeServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answered++
	f.authorized = r.Header.Get("Authorization")
	if f.refuse != nil {
		if status := f.refuse(f.answered, r); status != 0 {
			w.WriteHeader(status)
			return
		}
	}
	in := map[string]any{}
	if r.Method == http.MethodGet {
		for name, values := range r.URL.Query() {
			in[name] = values[0]
		}
	} else if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		http.Error(w, "no JSON", http.StatusBadRequest)
		return
	}
	path := r.Method + " " + strings.TrimPrefix(r.URL.Path, "/api/2.0/mlflow/")
	serve, ok := f.routes()[path]
	if !ok {
		http.NotFound(w, r)
		return
	}
	out, err := serve(in)
	if f.lose != nil && f.lose(r) {
		panic(http.ErrAbortHandler)
	}
	if err != nil {
		w.WriteHeader(err.status)
		_ = json.NewEncoder(w).Encode(err)
		return
	}
	_ = json.NewEncoder(w).Encode(out)
}

type handler func(in map[string]any) (any, *refusal)

func (f *fakeServer) routes() map[string]handler {
	return map[string]handler{
		"GET experiments/get-by-name":    f.experiment,
		"POST experiments/create":        f.createExperiment,
		"POST runs/create":               f.createRun,
		"GET runs/get":                   f.getRun,
		"POST runs/update":               f.updateRun,
		"POST runs/delete":               f.deleteRun,
		"POST runs/log-batch":            f.logBatch,
		"POST runs/log-parameter":        f.logParameter,
		"POST runs/search":               f.searchRuns,
		"POST registered-models/create":  f.createModel,
		"GET registered-models/get":      f.getModel,
		"POST registered-models/alias":   f.setAlias,
		"DELETE registered-models/alias": f.deleteAlias,
		"POST model-versions/create":     f.createVersion,
		"GET model-versions/get":         f.getVersion,
		"GET model-versions/search":      f.searchVersions,
		"POST model-versions/set-tag":    f.setTag,
		"DELETE model-versions/delete":   f.deleteVersion,
	}
}

func text(in map[string]any, key string) string { s, _ := in[key].(string); return s }

// decode reads a part of a request as this package wrote it.
func decode[T any](v any) (out T) {
	raw, _ := json.Marshal(v)
	_ = json.Unmarshal(raw, &out)
	return out
}

func (f *fakeServer) experiment(in map[string]any) (any, *refusal) {
	i := slices.Index(f.experiments, text(in, "experiment_name"))
	if i < 0 {
		return nil, missing("experiment")
	}
	return map[string]any{"experiment": map[string]any{"experiment_id": strconv.Itoa(i), "lifecycle_stage": "active"}}, nil
}

func (f *fakeServer) createExperiment(in map[string]any) (any, *refusal) {
	if slices.Contains(f.experiments, text(in, "name")) {
		return nil, &refusal{400, codeExists, "experiment exists"}
	}
	f.experiments = append(f.experiments, text(in, "name"))
	return map[string]any{}, nil
}

func (f *fakeServer) createRun(in map[string]any) (any, *refusal) {
	id := fmt.Sprintf("run%04d", len(f.runs))
	r := &fakeRun{name: text(in, "run_name"), status: "RUNNING", stage: "active", params: map[string]string{}, tags: map[string]string{}}
	for _, kv := range decode[[]keyValue](in["tags"]) {
		r.tags[kv.Key] = kv.Value
	}
	f.runs[id] = r
	return map[string]any{"run": f.wireRun(id)}, nil
}

func (f *fakeServer) wireRun(id string) map[string]any {
	var params []keyValue
	for k, v := range f.runs[id].params {
		params = append(params, keyValue{k, v})
	}
	return map[string]any{"info": map[string]any{"run_id": id}, "data": map[string]any{"params": params}}
}

func (f *fakeServer) findRun(in map[string]any) (*fakeRun, *refusal) {
	if r := f.runs[text(in, "run_id")]; r != nil {
		return r, nil
	}
	return nil, missing("run " + text(in, "run_id"))
}

func (f *fakeServer) getRun(in map[string]any) (any, *refusal) {
	if _, err := f.findRun(in); err != nil {
		return nil, err
	}
	return map[string]any{"run": f.wireRun(text(in, "run_id"))}, nil
}

func (f *fakeServer) updateRun(in map[string]any) (any, *refusal) {
	r, err := f.findRun(in)
	if err == nil {
		r.status = text(in, "status")
	}
	return map[string]any{}, err
}

func (f *fakeServer) deleteRun(in map[string]any) (any, *refusal) {
	r, err := f.findRun(in)
	if err == nil {
		r.stage = "deleted"
	}
	return map[string]any{}, err
}

func (f *fakeServer) logBatch(in map[string]any) (any, *refusal) {
	r, err := f.findRun(in)
	if err != nil {
		return nil, err
	}
	for _, m := range decode[[]metric](in["metrics"]) {
		if !regexp.MustCompile(`^[\w. /:-]+$`).MatchString(m.Key) || strings.Contains(m.Key, "..") {
			return nil, invalid("metric " + m.Key)
		}
		r.metrics = append(r.metrics, m)
	}
	for _, kv := range decode[[]keyValue](in["params"]) {
		if err := r.set(kv); err != nil {
			return nil, err
		}
	}
	return map[string]any{}, nil
}

func (r *fakeRun) set(kv keyValue) *refusal {
	switch old, ok := r.params[kv.Key]; {
	case r.stage != "active":
		return invalid("the run is deleted")
	case ok && old != kv.Value:
		return invalid("Changing param values is not allowed")
	case len(kv.Value) > maxParam:
		kv.Value = kv.Value[:maxParam]
	}
	r.params[kv.Key] = kv.Value
	return nil
}

func (f *fakeServer) logParameter(in map[string]any) (any, *refusal) {
	r, err := f.findRun(in)
	if err == nil {
		err = r.set(keyValue{text(in, "key"), text(in, "value")})
	}
	return map[string]any{}, err
}

// tagFilter is that of searchRuns, nameFilter that of searchVersions.
var (
	tagFilter  = regexp.MustCompile("^tags.`([^`]+)` = '([^']*)'$")
	nameFilter = regexp.MustCompile("^name = '([^']*)'(?: AND (tags.*))?$")
)

func (f *fakeServer) searchRuns(in map[string]any) (any, *refusal) {
	key, value, ok := parseTag(text(in, "filter"))
	if !ok && text(in, "filter") != "" {
		return nil, invalid("filter")
	}
	var all []any
	for id, r := range f.runs {
		if !ok || r.tags[key] == value {
			all = append(all, f.wireRun(id))
		}
	}
	return map[string]any{"runs": all}, nil
}

func parseTag(filter string) (key, value string, ok bool) {
	m := tagFilter.FindStringSubmatch(filter)
	if m == nil {
		return "", "", false
	}
	return m[1], m[2], true
}
