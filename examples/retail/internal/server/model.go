package server

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"

	"example.com/retail/internal/model"
	"example.com/retail/internal/retail"
)

func (s *Server) health(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, struct {
		Status       string `json:"status"`
		Release      string `json:"release"`
		ModelVersion string `json:"model_version"`
	}{"ok", s.release, s.modelVersion})
}

// ready is the readiness probe. There is no server without a model, so only
// draining makes it unready.
func (s *Server) ready(w http.ResponseWriter, _ *http.Request) {
	if s.draining.Load() {
		writeProblems(w, http.StatusServiceUnavailable, problem{Message: "shutting down"})
		return
	}
	writeJSON(w, http.StatusOK, struct {
		Status string `json:"status"`
	}{"ready"})
}

type modelInfo struct {
	Format   string         `json:"format"`
	Version  string         `json:"version"`
	Digest   string         `json:"digest"` // of model.json
	Target   string         `json:"target"`
	Classes  []string       `json:"classes"`
	Features []featureInfo  `json:"features"`
	Training model.Training `json:"training"`
}

type featureInfo struct {
	Name   string   `json:"name"`
	Type   string   `json:"type"`             // category or number
	Levels []string `json:"levels,omitempty"` // values known from training
}

func (s *Server) modelInfo(w http.ResponseWriter, _ *http.Request) {
	info := modelInfo{
		Format: model.Format, Version: s.modelVersion, Digest: s.model.Digest(),
		Target: retail.Target, Training: s.model.Training,
	}
	for _, c := range retail.Classes() {
		info.Classes = append(info.Classes, c.String())
	}
	for _, v := range s.model.Encoder.Vocabularies {
		info.Features = append(info.Features, featureInfo{v.Name, "category", v.Levels})
	}
	info.Features = append(info.Features, featureInfo{Name: retail.Spend, Type: "number"}, featureInfo{Name: retail.Quantity, Type: "number"})
	writeJSON(w, http.StatusOK, info)
}

// measured is metrics.json as the evaluation wrote it, or why there is none to show.
type measured struct {
	text   []byte
	absent string
}

func (s *Server) modelMetrics(w http.ResponseWriter, _ *http.Request) {
	if s.metrics.absent != "" {
		writeProblems(w, http.StatusNotFound, problem{Message: s.metrics.absent})
		return
	}
	writeText(w, http.StatusOK, "application/json", s.metrics.text)
}

// loadMetrics reads metrics.json from dir. Figures that say they are of another
// model are not shown as this one's.
func loadMetrics(dir, modelDigest string) (measured, error) {
	path := filepath.Join(dir, model.MetricsName)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return measured{absent: "no " + model.MetricsName + " found next to the model: this version was not evaluated"}, nil
	}
	if err != nil {
		return measured{}, fmt.Errorf("read metrics: %w", err)
	}
	var of struct {
		Source struct {
			ModelDigest string `json:"model_digest"`
		} `json:"source"`
	}
	if err := json.Unmarshal(text, &of); err != nil {
		return measured{}, fmt.Errorf("metrics %s: corrupt (%w): evaluate the model again, or remove the file", path, err)
	}
	if d := of.Source.ModelDigest; d != "" && d != modelDigest {
		return measured{absent: fmt.Sprintf("%s belongs to model %s, not to this model (%s)", model.MetricsName, d, modelDigest)}, nil
	}
	return measured{text: text}, nil
}
