// Package model is the classifier and its file. The method is multinomial
// logistic regression (softmax): one weight vector per class over one-hot
// categories and scaled numbers. Package train fits it.
package model

import (
	"math"

	"example.com/retail/internal/retail"
)

// Probabilities are the chances of LA, MM and UM, in the order of retail.Classes; they add up to 1.
type Probabilities [retail.NumClasses]float64

// Best is the likeliest class, the first of equals.
func (p Probabilities) Best() retail.Class {
	best := retail.LA
	for _, c := range retail.Classes() {
		if p[c] > p[best] {
			best = c
		}
	}
	return best
}

// Model is a fitted classifier. It is immutable and safe for concurrent use.
type Model struct {
	Encoder  Encoder
	Training Training

	// Weights has a row for each place of the encoder's weight vector (Encoder.Width)
	// and a column for each class: a prediction reads few rows, each in one go.
	Weights [][retail.NumClasses]float64

	digest string
}

// Training describes how a model was trained.
type Training struct {
	Rows        int     `json:"rows"`          // learnt from
	Baskets     int     `json:"baskets"`       // these rows belong to
	HeldOutRows int     `json:"held_out_rows"` // kept for evaluation
	DroppedRows int     `json:"dropped_rows"`  // without a class (XX)
	DataDigest  string  `json:"data_digest"`   // of the data file, sha256:<hex>
	Split       string  `json:"split"`
	L2          float64 `json:"l2"`         // strength of the regularisation
	Iterations  int     `json:"iterations"` // of L-BFGS
	Loss        float64 `json:"loss"`       // mean negative log likelihood + penalty, at the end
	Stopped     string  `json:"stopped"`    // why the optimiser stopped
}

// Digest is that of the file the model was loaded from, "sha256:<hex>"; empty for a model that was not.
func (m *Model) Digest() string { return m.digest }

// Predict is the chance of each class for f. unknown tells, in the order of
// retail.CategoryNames, which categories training has not seen.
func (m *Model) Predict(f *retail.Features) (p Probabilities, unknown [retail.NumCategories]bool) {
	row := m.Encoder.Encode(f)
	scores := m.Weights[0]
	for n, x := range row.Numeric {
		for c, w := range m.Weights[1+n] {
			scores[c] += w * x
		}
	}
	for i, place := range row.Active {
		if place == Unknown {
			unknown[i] = true
			continue
		}
		for c, w := range m.Weights[place] {
			scores[c] += w
		}
	}
	return Softmax(scores), unknown
}

// Softmax turns scores into probabilities. The largest score is taken off first, so that nothing overflows.
func Softmax(scores [retail.NumClasses]float64) Probabilities {
	top := max(scores[0], scores[1], scores[2])
	var p Probabilities
	sum := 0.0
	for c, s := range scores {
		p[c] = math.Exp(s - top)
		sum += p[c]
	}
	for c := range p {
		p[c] /= sum
	}
	return p
}
