package server

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"example.com/retail/internal/retail"
)

const (
	maxBody      = 16 << 10 // bytes of a /predict request
	maxBatchBody = 1 << 20  // bytes of a /predict/batch request
	maxBatch     = 1000     // rows of a /predict/batch request
)

// prediction is the answer for one row; its probabilities add up to 1.
type prediction struct {
	Class         string        `json:"class"`
	Probabilities probabilities `json:"probabilities"`
}

type probabilities struct {
	LA float64 `json:"LA"`
	MM float64 `json:"MM"`
	UM float64 `json:"UM"`
}

type predictAnswer struct {
	prediction
	ModelVersion string `json:"model_version"`
}

type batchAnswer struct {
	Predictions  []prediction `json:"predictions"` // in the order of the request
	ModelVersion string       `json:"model_version"`
}

func (s *Server) predict(w http.ResponseWriter, r *http.Request) {
	body, ok := readJSON(w, r, maxBody)
	if !ok {
		return
	}
	features, problems := decodeRow(body)
	if len(problems) > 0 {
		writeProblems(w, http.StatusUnprocessableEntity, problems...)
		return
	}
	start := time.Now()
	answer := predictAnswer{s.one(&features), s.modelVersion}
	if s.late(w, start) {
		return
	}
	writeJSON(w, http.StatusOK, answer)
}

func (s *Server) predictBatch(w http.ResponseWriter, r *http.Request) {
	body, ok := readJSON(w, r, maxBatchBody)
	if !ok {
		return
	}
	rows, problems := decodeBatch(body)
	if len(problems) > 0 {
		writeProblems(w, http.StatusUnprocessableEntity, problems...)
		return
	}
	start := time.Now()
	answer := batchAnswer{make([]prediction, len(rows)), s.modelVersion}
	for i := range rows {
		answer.Predictions[i] = s.one(&rows[i])
	}
	if s.late(w, start) {
		return
	}
	writeJSON(w, http.StatusOK, answer)
}

func (s *Server) one(f *retail.Features) prediction {
	p, unknown := s.model.Predict(f)
	class := p.Best()
	s.telemetry.predicted(class, unknown)
	return prediction{
		Class:         class.String(),
		Probabilities: probabilities{p[retail.LA], p[retail.MM], p[retail.UM]},
	}
}

// late answers 500 if predicting since start has taken longer than the budget: a
// model grown too slow shows in the error rate, which alarms watch, and not as
// callers quietly timing out.
func (s *Server) late(w http.ResponseWriter, start time.Time) bool {
	took := time.Since(start)
	if took <= s.predictBudget {
		return false
	}
	s.log.Error("prediction over budget", "took", took.String(), "budget", s.predictBudget.String())
	writeProblems(w, http.StatusInternalServerError, problem{Message: fmt.Sprintf("the prediction took longer than %s", s.predictBudget)})
	return true
}

func decodeBatch(body []byte) ([]retail.Features, []problem) {
	var raw []json.RawMessage
	if body[0] != '[' || json.Unmarshal(body, &raw) != nil {
		return nil, []problem{{Message: fmt.Sprintf("must be a list of 1 to %d rows", maxBatch)}}
	}
	if len(raw) < 1 || len(raw) > maxBatch {
		return nil, []problem{{Message: fmt.Sprintf("must be a list of 1 to %d rows, not %d", maxBatch, len(raw))}}
	}
	rows := make([]retail.Features, len(raw))
	var all []problem
	for i := range raw {
		features, problems := decodeRow(raw[i])
		rows[i] = features
		for _, p := range problems {
			p.Index = new(i)
			all = append(all, p)
		}
		if len(all) >= maxProblems {
			return nil, all[:maxProblems]
		}
	}
	return rows, all
}

// readJSON reads a body of at most limit bytes that is one JSON value, and
// answers the request itself if it is not.
func readJSON(w http.ResponseWriter, r *http.Request, limit int64) (value json.RawMessage, ok bool) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		w.Header().Set("Connection", "close") // the rest of the body is not worth reading
		writeProblems(w, http.StatusRequestEntityTooLarge, problem{Message: fmt.Sprintf("the body must have at most %d bytes", limit)})
		return nil, false
	}
	if err != nil {
		writeProblems(w, http.StatusBadRequest, problem{Message: "the body could not be read: " + err.Error()})
		return nil, false
	}
	if err := json.Unmarshal(body, &value); err != nil {
		writeProblems(w, http.StatusBadRequest, problem{Message: "the body is not JSON: " + err.Error()})
		return nil, false
	}
	return value, true
}
