// Package train fits the model of package model: multinomial logistic regression
// with L2 regularisation, minimised by L-BFGS (gonum). The problem is convex and
// nothing is drawn at random, so the same data fit the same model.
package train

import (
	"errors"
	"fmt"
	"io"

	"gonum.org/v1/gonum/optimize"

	"example.com/retail/internal/data"
	"example.com/retail/internal/model"
	"example.com/retail/internal/retail"
)

// DefaultL2 is the strength of the regularisation that did best on held-out baskets
// of generated data, among powers of ten.
const DefaultL2 = 1e-5

// Options of Fit; the zero value is good.
type Options struct {
	L2            float64   // strength of the regularisation; 0 means DefaultL2
	MaxIterations int       // 0 means 200
	Progress      io.Writer // a line now and then; nil for none
}

// Fit learns from the rows of t that are not held out.
func Fit(t data.Table, o Options) (*model.Model, error) {
	if o.L2 == 0 {
		o.L2 = DefaultL2
	}
	if o.MaxIterations == 0 {
		o.MaxIterations = 200
	}
	if o.Progress == nil {
		o.Progress = io.Discard
	}
	rows, heldOut := data.Divide(t.Rows)
	if err := check(rows); err != nil {
		return nil, err
	}
	info := model.Training{
		Rows: len(rows), Baskets: data.Baskets(rows), HeldOutRows: len(heldOut), DroppedRows: t.Dropped,
		DataDigest: t.Digest, Split: data.Split, L2: o.L2,
	}
	fmt.Fprintf(o.Progress, "learning from %d rows of %d baskets, %d rows held out\n", info.Rows, info.Baskets, info.HeldOutRows)
	return fit(rows, info, o)
}

// check refuses what no model can be learnt from.
func check(rows []data.Row) error {
	var seen [retail.NumClasses]int
	for _, r := range rows {
		seen[r.Class]++
	}
	for _, c := range retail.Classes() {
		if seen[c] == 0 {
			return fmt.Errorf("no training row of class %s among %d: more data is needed", c, len(rows))
		}
	}
	return nil
}

func fit(rows []data.Row, info model.Training, o Options) (*model.Model, error) {
	features := make([]retail.Features, len(rows))
	target := objective{l2: o.L2}
	for i, r := range rows {
		features[i] = r.Features
		target.labels = append(target.labels, r.Class)
	}
	encoder := model.NewEncoder(features)
	for i := range features {
		target.rows = append(target.rows, encoder.Encode(&features[i]))
	}
	result, err := optimize.Minimize(
		optimize.Problem{Func: target.Func, Grad: target.Grad},
		make([]float64, encoder.Width()*retail.NumClasses),
		&optimize.Settings{
			MajorIterations:   o.MaxIterations,
			GradientThreshold: 1e-4,
			Converger:         &optimize.FunctionConverge{Absolute: 1e-6, Iterations: 5},
			Recorder:          &progress{out: o.Progress},
		},
		&optimize.LBFGS{},
	)
	// A line search that finds nothing lower stands at the bottom as far as
	// floating point can tell; any other failure is one.
	if err != nil && !errors.Is(err, optimize.ErrLinesearcherFailure) {
		return nil, fmt.Errorf("minimise the loss over %d rows: %w", len(rows), err)
	}
	info.Iterations, info.Loss, info.Stopped = result.MajorIterations, result.F, result.Status.String()
	m := &model.Model{Encoder: encoder, Training: info, Weights: make([][retail.NumClasses]float64, encoder.Width())}
	for place := range m.Weights {
		m.Weights[place] = [retail.NumClasses]float64(result.X[place*retail.NumClasses:])
	}
	fmt.Fprintf(o.Progress, "stopped after %d iterations (%s) at loss %.5f\n", info.Iterations, info.Stopped, info.Loss)
	return m, nil
}

// progress writes a line every tenth iteration.
type progress struct {
	out        io.Writer
	iterations int
}

func (p *progress) Init() error { return nil }

func (p *progress) Record(at *optimize.Location, op optimize.Operation, _ *optimize.Stats) error {
	if op != optimize.MajorIteration {
		return nil
	}
	if p.iterations%10 == 0 {
		fmt.Fprintf(p.out, "iteration %3d  loss %.5f\n", p.iterations, at.F)
	}
	p.iterations++
	return nil
}
