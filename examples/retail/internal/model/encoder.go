package model

import (
	"math"
	"slices"

	"example.com/retail/internal/retail"
)

// NumNumeric is how many numbers a row is turned into, see numeric.
const NumNumeric = 5

func numericNames() [NumNumeric]string {
	return [...]string{"spend", "quantity", "log_unit_price", "log_quantity", "log_unit_price*log_quantity"}
}

// numeric are the numbers made of SPEND and QUANTITY, before scaling. Prices
// differ by factors, so their logarithm is what a linear model can use; a unit
// price below a penny counts as a penny.
func numeric(f *retail.Features) [NumNumeric]float64 {
	quantity := max(f.Quantity, 1)
	unit := math.Log(max(f.Spend/quantity, 0.01))
	many := math.Log(quantity)
	return [...]float64{f.Spend, quantity, unit, many, unit * many}
}

// Vocabulary numbers the values that a categorical feature had in training.
type Vocabulary struct {
	Name   string
	Levels []string // ascending
	index  map[string]int
}

// NewVocabulary is the vocabulary of the distinct values.
func NewVocabulary(name string, values []string) Vocabulary {
	levels := slices.Clone(values)
	slices.Sort(levels)
	v := Vocabulary{Name: name, Levels: slices.Compact(levels), index: make(map[string]int)}
	for i, level := range v.Levels {
		v.index[level] = i
	}
	return v
}

// Scaling centres and scales one number: (x - Mean) / Scale.
type Scaling struct {
	Name        string
	Mean, Scale float64 // Scale > 0
}

// Encoder turns Features into positions and numbers of a weight vector, laid out
// as: bias, the scaled numbers, then one place for each level of each vocabulary.
type Encoder struct {
	Numeric      [NumNumeric]Scaling
	Vocabularies [retail.NumCategories]Vocabulary
}

// Encoded is one row in terms of an Encoder.
type Encoded struct {
	Numeric [NumNumeric]float64
	Active  [retail.NumCategories]int // place in the weight vector, or Unknown
}

// Unknown marks a category that training has not seen: none of its places is active,
// so that it neither helps nor hurts any class.
const Unknown = -1

// NewEncoder learns vocabularies and scalings from rows.
func NewEncoder(rows []retail.Features) Encoder {
	var e Encoder
	names := retail.CategoryNames()
	for c := range e.Vocabularies {
		values := make([]string, len(rows))
		for i := range rows {
			values[i] = rows[i].Categories()[c]
		}
		e.Vocabularies[c] = NewVocabulary(names[c], values)
	}
	for n, name := range numericNames() {
		e.Numeric[n] = newScaling(name, rows, n)
	}
	return e
}

func newScaling(name string, rows []retail.Features, n int) Scaling {
	var sum, squares float64
	for i := range rows {
		sum += numeric(&rows[i])[n]
	}
	mean := sum / float64(max(len(rows), 1))
	for i := range rows {
		d := numeric(&rows[i])[n] - mean
		squares += d * d
	}
	scale := math.Sqrt(squares / float64(max(len(rows), 1)))
	if scale < 1e-9 {
		scale = 1 // a constant: leave it at 0 after centring
	}
	return Scaling{Name: name, Mean: mean, Scale: scale}
}

// Width is the length of a weight vector.
func (e *Encoder) Width() int {
	width := 1 + NumNumeric
	for _, v := range e.Vocabularies {
		width += len(v.Levels)
	}
	return width
}

// Encode is f in terms of e.
func (e *Encoder) Encode(f *retail.Features) Encoded {
	var out Encoded
	for n, x := range numeric(f) {
		out.Numeric[n] = (x - e.Numeric[n].Mean) / e.Numeric[n].Scale
	}
	place := 1 + NumNumeric
	for c, value := range f.Categories() {
		v := &e.Vocabularies[c]
		if i, known := v.index[value]; known {
			out.Active[c] = place + i
		} else {
			out.Active[c] = Unknown
		}
		place += len(v.Levels)
	}
	return out
}
