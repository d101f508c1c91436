package server

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/retail/internal/data"
	"example.com/retail/internal/model"
	"example.com/retail/internal/train"
)

const goodRow = `{"BASKET_SIZE":"M","BASKET_TYPE":"Top Up","STORE_REGION":"S02","STORE_FORMAT":"LS","SPEND":6.4,"QUANTITY":2,"PROD_CODE_20":"DEP00011","PROD_CODE_30":"G00011"}`

// smallModel trains once for all tests of the package.
var smallModel = sync.OnceValues(func() (*model.Model, error) {
	var text bytes.Buffer
	if err := data.Generate(&text, 1500, 1); err != nil {
		return nil, err
	}
	table, err := data.Read(&text)
	if err != nil {
		return nil, err
	}
	return train.Fit(table, train.Options{})
})

// modelDir is a folder with a model, and with metrics.json if metrics is not empty.
func modelDir(t testing.TB, metrics string) string {
	t.Helper()
	m, err := smallModel()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := m.Save(dir); err != nil {
		t.Fatal(err)
	}
	if metrics != "" {
		if err := os.WriteFile(filepath.Join(dir, model.MetricsName), []byte(metrics), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func newServer(t testing.TB, o Options) *Server {
	t.Helper()
	if o.ModelPath == "" {
		o.ModelPath = modelDir(t, "")
	}
	o.ModelVersion, o.Release = "7", "sha256:abc"
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func ask(h http.Handler, method, path, body string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(method, path, strings.NewReader(body)))
	return w
}

// into asks and decodes the answer, which must have the status code.
func into[T any](t *testing.T, h http.Handler, method, path, body string, code int) T {
	t.Helper()
	w := ask(h, method, path, body)
	if w.Code != code {
		t.Fatalf("%s %s: %d %s, expected %d", method, path, w.Code, w.Body, code)
	}
	var out T
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil {
		t.Fatalf("%s %s: %v in %s", method, path, err, w.Body)
	}
	return out
}

type failure struct{ Errors []problem }

func TestHealthAndReady(t *testing.T) {
	s := newServer(t, Options{})
	h := s.Handler()
	if got := ask(h, "GET", "/health", "").Body.String(); got != `{"status":"ok","release":"sha256:abc","model_version":"7"}`+"\n" {
		t.Errorf("/health answers %s", got)
	}
	if w := ask(h, "GET", "/ready", ""); w.Code != http.StatusOK {
		t.Errorf("/ready answers %d", w.Code)
	}
	s.draining.Store(true)
	if w := ask(h, "GET", "/ready", ""); w.Code != http.StatusServiceUnavailable || w.Header().Get("Connection") != "close" {
		t.Errorf("/ready while draining answers %d %v", w.Code, w.Header())
	}
	if w := ask(h, "GET", "/health", ""); w.Code != http.StatusOK {
		t.Errorf("/health while draining answers %d", w.Code)
	}
}

func TestModelInfo(t *testing.T) {
	dir := modelDir(t, "")
	got := into[modelInfo](t, newServer(t, Options{ModelPath: dir}).Handler(), "GET", "/model/info", "", 200)
	text, _ := os.ReadFile(filepath.Join(dir, model.FileName))
	if got.Digest != model.Digest(text) || got.Version != "7" || got.Format != model.Format || len(got.Features) != 8 {
		t.Errorf("got %+v", got)
	}
	if strings.Join(got.Classes, " ") != "LA MM UM" || got.Training.Rows == 0 || len(got.Features[2].Levels) != 12 {
		t.Errorf("got %+v", got)
	}
}

func TestModelMetrics_ReturnsFile(t *testing.T) {
	const metrics = "{ \"accuracy\": 0.875,\n \"own\": [null] }\n"
	h := newServer(t, Options{ModelPath: modelDir(t, metrics)}).Handler()
	if got := ask(h, "GET", "/model/metrics", "").Body.String(); got != metrics {
		t.Errorf("got %s", got)
	}
	for name, c := range map[string]struct{ metrics, want string }{
		"absent":           {"", "not evaluated"},
		"of another model": {`{"source":{"model_digest":"sha256:other"}}`, "sha256:other"},
	} {
		h := newServer(t, Options{ModelPath: modelDir(t, c.metrics)}).Handler()
		got := into[failure](t, h, "GET", "/model/metrics", "", http.StatusNotFound)
		if !strings.Contains(got.Errors[0].Message, c.want) {
			t.Errorf("%s: %q does not say %q", name, got.Errors[0].Message, c.want)
		}
	}
}

func TestNew_RequiresModel(t *testing.T) {
	cut := modelDir(t, "")
	path := filepath.Join(cut, model.FileName)
	text, _ := os.ReadFile(path)
	if err := os.WriteFile(path, text[:len(text)/2], 0o600); err != nil {
		t.Fatal(err)
	}
	empty, corrupt := t.TempDir(), modelDir(t, `{"accuracy": 0.`)
	for name, c := range map[string]struct{ dir, want string }{
		"no model":        {empty, filepath.Join(empty, model.FileName)},
		"truncated model": {cut, path},
		"corrupt metrics": {corrupt, filepath.Join(corrupt, model.MetricsName)},
	} {
		if s, err := New(Options{ModelPath: c.dir}); s != nil || err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error is %v, expected one that names %s", name, err, c.want)
		}
	}
}

func TestMetrics_CountRequests(t *testing.T) {
	h := newServer(t, Options{}).Handler()
	ask(h, "POST", "/predict", goodRow)
	ask(h, "POST", "/predict", strings.Replace(goodRow, "DEP00011", "DEP99999", 1))
	ask(h, "POST", "/predict", "{")
	ask(h, "GET", "/wp-login.php", "")
	w := ask(h, "GET", "/metrics", "")
	for _, want := range []string{
		`retail_http_requests_total{code="200",path="/predict"} 2`,
		`retail_http_requests_total{code="400",path="/predict"} 1`,
		`retail_http_requests_total{code="404",path="other"} 1`,
		`retail_http_request_duration_seconds_count{path="/predict"} 3`,
		`retail_predictions_total{class="UM"}`,
		`retail_unknown_categories_total{field="PROD_CODE_20"} 1`,
		`retail_info{model_version="7",release="sha256:abc"} 1`,
	} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s is not in /metrics", want)
		}
	}
}

func TestHandler_WrongMethodsAndPaths(t *testing.T) {
	s := newServer(t, Options{})
	h := s.Handler()
	for _, r := range s.routes() {
		w := ask(h, "DELETE", r.path, "")
		if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != r.method || !strings.Contains(w.Body.String(), r.method) {
			t.Errorf("DELETE %s answers %d, Allow %q, %s", r.path, w.Code, w.Header().Get("Allow"), w.Body)
		}
	}
	into[failure](t, h, "GET", "/predict", "", http.StatusMethodNotAllowed)
	into[failure](t, h, "GET", "/nowhere", "", http.StatusNotFound)
	if w := ask(h, "HEAD", "/health", ""); w.Code != http.StatusOK {
		t.Errorf("HEAD /health answers %d", w.Code)
	}
}

func TestDocs_ExamplesWork(t *testing.T) {
	s := newServer(t, Options{})
	h := s.Handler()
	spec := into[struct {
		OpenAPI string
		Paths   map[string]map[string]operation
	}](t, h, "GET", "/openapi.json", "", 200)
	if spec.OpenAPI != "3.1.0" || len(spec.Paths) != len(s.routes()) {
		t.Errorf("OpenAPI %s describes %d paths of %d", spec.OpenAPI, len(spec.Paths), len(s.routes()))
	}
	for path, methods := range spec.Paths {
		if post, ok := methods["post"]; ok {
			into[any](t, h, "POST", path, string(post.RequestBody.Content["application/json"].Example), 200)
		}
	}
	w := ask(h, "GET", "/docs", "")
	for _, want := range []string{"<h1>Retail price sensitivity</h1>", "/predict/batch", "&#34;SPEND&#34;: 6.4"} {
		if w.Code != 200 || !strings.Contains(w.Body.String(), want) {
			t.Errorf("/docs answers %d without %s", w.Code, want)
		}
	}
	for _, outside := range []string{"https://", "http://", "<script"} {
		if strings.Contains(w.Body.String(), outside) {
			t.Errorf("/docs refers to %s", outside)
		}
	}
}

func TestHandler_PanicReturns500(t *testing.T) {
	s := newServer(t, Options{})
	w := httptest.NewRecorder()
	s.watched("/boom", func(http.ResponseWriter, *http.Request) { panic("boom") }).ServeHTTP(w, httptest.NewRequest("GET", "/boom", nil))
	if w.Code != http.StatusInternalServerError || strings.Contains(w.Body.String(), "boom") {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
}

func TestPredict_OverBudgetReturns500(t *testing.T) {
	h := newServer(t, Options{PredictBudget: time.Nanosecond}).Handler()
	into[failure](t, h, "POST", "/predict", goodRow, http.StatusInternalServerError)
	into[failure](t, h, "POST", "/predict/batch", "["+goodRow+"]", http.StatusInternalServerError)
}

func BenchmarkPredict(b *testing.B) {
	h := newServer(b, Options{}).Handler()
	body := strings.NewReader(goodRow)
	b.ReportAllocs()
	for b.Loop() {
		body.Seek(0, io.SeekStart)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("POST", "/predict", body))
		if w.Code != http.StatusOK {
			b.Fatal(w.Code, w.Body)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "req/s")
}
