package evaluate

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"example.com/retail/internal/data"
	"example.com/retail/internal/model"
	"example.com/retail/internal/retail"
)

// Worked out by hand: 10 rows, LA 2 right of 3, MM 4 right of 5, UM 1 right of 2.
func TestEvaluate_MatchesHandComputedMetrics(t *testing.T) {
	c := counts{
		matrix: [3][3]int{{2, 1, 0}, {0, 4, 1}, {1, 0, 1}},
		rows:   map[string]int{"E01": 4, "S02": 6},
		right:  map[string]int{"E01": 4, "S02": 3},
	}
	got := c.metrics(10)
	for name, pair := range map[string][2]float64{
		"accuracy":          {*got.Accuracy, 0.7},
		"majority accuracy": {*got.MajorityAccuracy, 0.5},
		"LA precision":      {*got.Classes["LA"].Precision, 2. / 3},
		"LA recall":         {*got.Classes["LA"].Recall, 2. / 3},
		"MM precision":      {*got.Classes["MM"].Precision, 4. / 5},
		"UM recall":         {*got.Classes["UM"].Recall, 1. / 2},
		"macro F1":          {*got.F1Macro, (2./3 + 4./5 + 1./2) / 3},
		"E01":               {got.Regions["E01"].Accuracy, 1},
		"S02":               {got.Regions["S02"].Accuracy, 0.5},
	} {
		if math.Abs(pair[0]-pair[1]) > 1e-12 {
			t.Errorf("%s is %g, expected %g", name, pair[0], pair[1])
		}
	}
	if got.Classes["MM"].Support != 5 || got.Confusion.Matrix[1][2] != 1 {
		t.Errorf("got %+v", got)
	}
}

func TestEvaluate_UnmeasurableIsNull(t *testing.T) {
	row := data.Row{Class: retail.LA, Features: retail.Features{Spend: 1, Quantity: 1}}
	for row.Basket.HeldOut() {
		row.Basket.Customer += "x"
	}
	m := &model.Model{
		Encoder: model.NewEncoder([]retail.Features{row.Features}),
		Weights: make([][retail.NumClasses]float64, 1+model.NumNumeric+retail.NumCategories),
	}
	for name, table := range map[string]data.Table{"empty": {}, "nothing held out": {Rows: []data.Row{row}}} {
		text, err := json.Marshal(Measure(m, table))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, want := range []string{`"accuracy":null`, `"f1_macro":null`, `"log_loss":null`, `"rows":0`, `"baskets":0`, `"precision":null`, `"regions":{}`} {
			if !strings.Contains(string(text), want) {
				t.Errorf("%s: %s is not in %s", name, want, text)
			}
		}
	}
}

func TestEvaluate_MacroF1SkipsAbsentClass(t *testing.T) {
	c := counts{matrix: [3][3]int{{1, 1, 0}, {0, 2, 0}, {0, 0, 0}}}
	got := c.metrics(4)
	if want := (2./3 + 4./5) / 2; math.Abs(*got.F1Macro-want) > 1e-12 {
		t.Errorf("macro F1 is %g, expected %g", *got.F1Macro, want)
	}
	if got.Classes["UM"].F1 != nil {
		t.Errorf("F1 of UM is %g, expected null", *got.Classes["UM"].F1)
	}
}
