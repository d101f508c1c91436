package promtext

import dto "github.com/prometheus/client_model/go"

// MetricNames are the names in a service's metrics; empty ones are discovered.
type MetricNames struct {
	Requests  string // counter or histogram
	Latency   string // histogram in seconds
	CodeLabel string // status label: "503" or "5xx"
	PathLabel string // path label
}

// family is a selected metric family with its labels.
type family struct {
	*dto.MetricFamily
	name, codeLabel, pathLabel string // empty labels: it has none
}

func labelValue(m *dto.Metric, label string) string {
	for _, l := range m.GetLabel() {
		if l.GetName() == label {
			return l.GetValue()
		}
	}
	return ""
}
