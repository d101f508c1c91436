// Package server is the HTTP API: predictions, what the model is and how it was
// measured, health, documentation and telemetry.
package server

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"sync/atomic"
	"time"

	"example.com/retail/internal/model"
)

// Options of a Server.
type Options struct {
	ModelPath    string // folder with model.json, and metrics.json if it was evaluated
	ModelVersion string // as registered; shown, not interpreted
	Release      string // as named by the delivery; shown, not interpreted

	PredictBudget time.Duration // a prediction that takes longer answers 500; 0 means a second
	Log           *slog.Logger  // nil for none
}

// Server answers requests with one model, loaded once. It is safe for concurrent use.
type Server struct {
	model         *model.Model
	modelVersion  string
	release       string
	metrics       measured
	predictBudget time.Duration
	log           *slog.Logger
	telemetry     *telemetry
	docs          docs
	draining      atomic.Bool
}

// New loads the model and refuses to make a server without it: no answer at all
// is better than one from a stand-in.
func New(o Options) (*Server, error) {
	if o.PredictBudget == 0 {
		o.PredictBudget = time.Second
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	m, err := model.Load(o.ModelPath)
	if err != nil {
		return nil, err
	}
	metrics, err := loadMetrics(o.ModelPath, m.Digest())
	if err != nil {
		return nil, err
	}
	s := &Server{
		model: m, modelVersion: o.ModelVersion, release: o.Release, metrics: metrics,
		predictBudget: o.PredictBudget, log: o.Log, telemetry: newTelemetry(o.Release, o.ModelVersion),
	}
	s.docs, err = newDocs(s.routes())
	if err != nil {
		return nil, err
	}
	if metrics.absent != "" {
		o.Log.Warn("no metrics to show", "why", metrics.absent)
	}
	return s, nil
}

type route struct {
	method, path string
	handle       http.HandlerFunc
}

func (s *Server) routes() []route {
	return []route{
		{http.MethodPost, "/predict", s.predict},
		{http.MethodPost, "/predict/batch", s.predictBatch},
		{http.MethodGet, "/health", s.health},
		{http.MethodGet, "/ready", s.ready},
		{http.MethodGet, "/model/info", s.modelInfo},
		{http.MethodGet, "/model/metrics", s.modelMetrics},
		{http.MethodGet, "/metrics", s.telemetry.handler().ServeHTTP},
		{http.MethodGet, "/openapi.json", s.openAPI},
		{http.MethodGet, "/docs", s.page},
	}
}

// Handler answers all routes, counts every request, and turns a panic into a 500.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	for _, r := range s.routes() {
		mux.Handle(r.path, s.watched(r.path, only(r.method, r.handle)))
	}
	mux.Handle("/", s.watched("other", notFound)) // one name, so that scanners cannot add time series
	return mux
}

func (s *Server) watched(path string, next http.HandlerFunc) http.Handler {
	observe := s.telemetry.observer(path)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		seen := &recorder{ResponseWriter: w, code: http.StatusOK}
		defer func() {
			if reason := recover(); reason != nil {
				if err, ok := reason.(error); ok && errors.Is(err, http.ErrAbortHandler) {
					panic(reason) // net/http's own way to drop a connection
				}
				s.log.Error("panic", "path", path, "reason", fmt.Sprint(reason), "stack", string(debug.Stack()))
				writeProblems(seen, http.StatusInternalServerError, problem{Message: "internal error"})
			}
			observe(seen.code, time.Since(start))
		}()
		w.Header().Set("X-Content-Type-Options", "nosniff")
		if s.draining.Load() {
			w.Header().Set("Connection", "close") // so that clients with open connections move on too
		}
		next(seen, r)
	})
}

// recorder remembers the status of an answer.
type recorder struct {
	http.ResponseWriter
	code int
}

func (r *recorder) WriteHeader(code int) {
	r.code = code
	r.ResponseWriter.WriteHeader(code)
}

// Unwrap lets http.ResponseController reach the connection.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

func only(method string, next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Method == method || method == http.MethodGet && r.Method == http.MethodHead {
			next(w, r)
			return
		}
		w.Header().Set("Allow", method)
		writeProblems(w, http.StatusMethodNotAllowed, problem{Message: fmt.Sprintf("method %s is not allowed on %s: use %s", shorten(r.Method), r.URL.Path, method)})
	}
}

func notFound(w http.ResponseWriter, _ *http.Request) {
	writeProblems(w, http.StatusNotFound, problem{Message: "not found: see /docs"})
}

// writeProblems answers with everything that is wrong, in the one shape all errors have.
func writeProblems(w http.ResponseWriter, code int, problems ...problem) {
	writeJSON(w, code, struct {
		Errors []problem `json:"errors"`
	}{problems})
}

func writeJSON(w http.ResponseWriter, code int, answer any) {
	text, err := json.Marshal(answer)
	if err != nil {
		panic(fmt.Errorf("encode %T: %w", answer, err)) // an answer of ours that cannot be JSON is a bug
	}
	writeText(w, code, "application/json", append(text, '\n'))
}

func writeText(w http.ResponseWriter, code int, kind string, text []byte) {
	w.Header().Set("Content-Type", kind)
	w.WriteHeader(code)
	_, _ = w.Write(text) // a client that has gone away needs no answer
}
