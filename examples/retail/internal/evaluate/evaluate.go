// Package evaluate measures a model on the baskets that were held out from its training.
package evaluate

import (
	"math"

	"example.com/retail/internal/data"
	"example.com/retail/internal/model"
	"example.com/retail/internal/retail"
)

// Metrics is what metrics.json holds. The numbers at the top are what gates ask
// for; a figure that the data does not allow (nothing was held out, a class never
// occurred) is null, never a number made up for it.
type Metrics struct {
	Accuracy *float64 `json:"accuracy"` // share of rows predicted right
	// F1Macro is the mean F1 of the classes that occurred or were predicted (as scikit-learn has it).
	F1Macro *float64 `json:"f1_macro"`
	LogLoss *float64 `json:"log_loss"` // mean negative log likelihood, natural log
	// MajorityAccuracy is what answering the commonest class would reach: to beat, not to pass.
	MajorityAccuracy *float64 `json:"majority_accuracy"`
	Rows             int      `json:"rows"`    // held-out rows measured on
	Baskets          int      `json:"baskets"` // these rows belong to

	Classes   map[string]ClassMetrics  `json:"classes"`
	Confusion Confusion                `json:"confusion"`
	Regions   map[string]RegionMetrics `json:"regions"` // by STORE_REGION
	Source    Source                   `json:"source"`
}

// ClassMetrics are those of one class.
type ClassMetrics struct {
	Precision *float64 `json:"precision"` // null when never predicted
	Recall    *float64 `json:"recall"`    // null when it never occurred
	F1        *float64 `json:"f1"`        // null when neither
	Support   int      `json:"support"`   // rows that are of this class
}

// Confusion counts rows: Matrix[i][j] are of class Labels[i] and were predicted as Labels[j].
type Confusion struct {
	Labels []string `json:"labels"`
	Matrix [][]int  `json:"matrix"`
}

// RegionMetrics are those of the stores of one region.
type RegionMetrics struct {
	Accuracy float64 `json:"accuracy"`
	Rows     int     `json:"rows"`
}

// Source describes the data that was measured.
type Source struct {
	DataDigest  string `json:"data_digest"`
	ModelDigest string `json:"model_digest"`
	Split       string `json:"split"`
}

// Measure predicts the held-out rows of t with m and counts.
func Measure(m *model.Model, t data.Table) Metrics {
	_, heldOut := data.Divide(t.Rows)
	c := counts{right: make(map[string]int), rows: make(map[string]int)}
	for i := range heldOut {
		p, _ := m.Predict(&heldOut[i].Features)
		c.add(&heldOut[i], p)
	}
	out := c.metrics(len(heldOut))
	out.Baskets = data.Baskets(heldOut)
	out.Source = Source{DataDigest: t.Digest, ModelDigest: m.Digest(), Split: data.Split}
	return out
}

type counts struct {
	matrix      [retail.NumClasses][retail.NumClasses]int // actual, predicted
	right, rows map[string]int                            // by region
	loss        float64
}

func (c *counts) add(r *data.Row, p model.Probabilities) {
	predicted := p.Best()
	c.matrix[r.Class][predicted]++
	c.rows[r.StoreRegion]++
	if predicted == r.Class {
		c.right[r.StoreRegion]++
	}
	c.loss -= math.Log(max(p[r.Class], math.SmallestNonzeroFloat64))
}

func (c *counts) metrics(rows int) Metrics {
	out := Metrics{
		Rows:      rows,
		LogLoss:   ratio(c.loss, float64(rows)),
		Classes:   make(map[string]ClassMetrics),
		Regions:   make(map[string]RegionMetrics),
		Confusion: Confusion{Matrix: [][]int{}},
	}
	var right, commonest int
	var f1, measured float64
	for _, class := range retail.Classes() {
		one := c.class(class)
		out.Classes[class.String()] = one
		out.Confusion.Labels = append(out.Confusion.Labels, class.String())
		out.Confusion.Matrix = append(out.Confusion.Matrix, c.matrix[class][:])
		right += c.matrix[class][class]
		commonest = max(commonest, one.Support)
		if one.F1 != nil {
			f1 += *one.F1
			measured++
		}
	}
	out.Accuracy = ratio(float64(right), float64(rows))
	out.MajorityAccuracy = ratio(float64(commonest), float64(rows))
	out.F1Macro = ratio(f1, measured)
	for region, n := range c.rows {
		out.Regions[region] = RegionMetrics{Accuracy: float64(c.right[region]) / float64(n), Rows: n}
	}
	return out
}

func (c *counts) class(class retail.Class) ClassMetrics {
	var predicted, actual int
	for _, other := range retail.Classes() {
		predicted += c.matrix[other][class]
		actual += c.matrix[class][other]
	}
	right := float64(c.matrix[class][class])
	return ClassMetrics{
		Precision: ratio(right, float64(predicted)),
		Recall:    ratio(right, float64(actual)),
		F1:        ratio(2*right, float64(predicted+actual)),
		Support:   actual,
	}
}

// ratio is a/b, or nil when nothing was counted.
func ratio(a, b float64) *float64 {
	if b == 0 {
		return nil
	}
	return new(a / b)
}
