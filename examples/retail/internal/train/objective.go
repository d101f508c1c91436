package train

import (
	"math"
	"slices"

	"example.com/retail/internal/model"
	"example.com/retail/internal/retail"
)

// objective is the function to minimise: the mean negative log likelihood of the
// rows plus l2/2 times the squared weights, biases excepted (a penalty on them
// would pull the predicted shares of the classes towards a third each).
//
// A point x is the weights place by place: x[place*NumClasses+class].
type objective struct {
	rows   []model.Encoded
	labels []retail.Class
	l2     float64

	at       []float64 // where value and gradient were last computed
	value    float64
	gradient []float64
}

func (o *objective) Func(x []float64) float64 {
	o.compute(x)
	return o.value
}

func (o *objective) Grad(gradient, x []float64) {
	o.compute(x)
	copy(gradient, o.gradient)
}

// compute fills value and gradient for x in one pass over the rows. The optimiser
// asks for both at the same point, one after the other.
func (o *objective) compute(x []float64) {
	if slices.Equal(o.at, x) {
		return
	}
	o.at = append(o.at[:0], x...)
	o.gradient = make([]float64, len(x))
	loss := 0.0
	for i := range o.rows {
		loss += o.row(&o.rows[i], o.labels[i], x)
	}
	n := float64(len(o.rows))
	o.value = loss / n
	for i := range x {
		o.gradient[i] /= n
		if i >= retail.NumClasses { // the first place is the bias
			o.value += o.l2 / 2 * x[i] * x[i]
			o.gradient[i] += o.l2 * x[i]
		}
	}
}

// row adds the gradient of one row and returns its loss.
func (o *objective) row(r *model.Encoded, label retail.Class, x []float64) float64 {
	const k = retail.NumClasses
	scores := [k]float64(x[:k])
	for n, v := range r.Numeric {
		for c, w := range x[(1+n)*k : (2+n)*k] {
			scores[c] += w * v
		}
	}
	for _, place := range r.Active { // never model.Unknown: the vocabulary is made of these rows
		for c, w := range x[place*k : (place+1)*k] {
			scores[c] += w
		}
	}
	p := model.Softmax(scores)
	loss := -math.Log(max(p[label], math.SmallestNonzeroFloat64))
	p[label]-- // from here on p is the derivative of the loss by the scores
	for c, d := range p {
		o.gradient[c] += d
		for n, v := range r.Numeric {
			o.gradient[(1+n)*k+c] += d * v
		}
		for _, place := range r.Active {
			o.gradient[place*k+c] += d
		}
	}
	return loss
}
