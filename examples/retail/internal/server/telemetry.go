package server

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"example.com/retail/internal/retail"
)

// telemetry holds the Prometheus metrics in a separate registry.
type telemetry struct {
	registry    *prometheus.Registry
	requests    *prometheus.CounterVec   // path, code
	latency     *prometheus.HistogramVec // path
	predictions [retail.NumClasses]prometheus.Counter
	unknown     [retail.NumCategories]prometheus.Counter
}

func newTelemetry(release, modelVersion string) *telemetry {
	t := &telemetry{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "retail_http_requests_total", Help: "Requests answered.",
		}, []string{"path", "code"}),
		latency: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "retail_http_request_duration_seconds", Help: "Request latency.",
			Buckets: []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5},
		}, []string{"path"}),
	}
	predictions := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "retail_predictions_total", Help: "Rows predicted.",
	}, []string{"class"})
	for _, c := range retail.Classes() {
		t.predictions[c] = predictions.WithLabelValues(c.String())
	}
	unknown := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "retail_unknown_categories_total", Help: "Values in predictions that were not in the training data; a growing rate indicates drift.",
	}, []string{"field"})
	for i, name := range retail.CategoryNames() {
		t.unknown[i] = unknown.WithLabelValues(name)
	}
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "retail_info", Help: "Build and model information in its labels; always 1.",
		ConstLabels: prometheus.Labels{"release": release, "model_version": modelVersion},
	})
	info.Set(1)
	t.registry.MustRegister(t.requests, t.latency, predictions, unknown, info,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return t
}

func (t *telemetry) handler() http.Handler {
	return promhttp.HandlerFor(t.registry, promhttp.HandlerOpts{})
}

// observer counts the answers of one path.
func (t *telemetry) observer(path string) func(code int, took time.Duration) {
	latency := t.latency.WithLabelValues(path)
	return func(code int, took time.Duration) {
		t.requests.WithLabelValues(path, strconv.Itoa(code)).Inc()
		latency.Observe(took.Seconds())
	}
}

func (t *telemetry) predicted(class retail.Class, unknown [retail.NumCategories]bool) {
	t.predictions[class].Inc()
	for i, is := range unknown {
		if is {
			t.unknown[i].Inc()
		}
	}
}
