package server

import (
	"encoding/json"
	"math"
	"net/http"
	"strings"
	"testing"

	"example.com/retail/internal/retail"
)

func sum(p probabilities) float64 { return p.LA + p.MM + p.UM }

func TestPredict_FollowsPlantedSignal(t *testing.T) {
	h := newServer(t, Options{}).Handler()
	for spend, want := range map[string]string{"0.25": "LA", "40": "UM"} { // a fraction and a multiple of any usual price
		got := into[predictAnswer](t, h, "POST", "/predict", strings.Replace(goodRow, "6.4", spend, 1), 200)
		if got.Class != want || got.ModelVersion != "7" || math.Abs(sum(got.Probabilities)-1) > 1e-9 {
			t.Errorf("SPEND %s: got %+v, expected %s", spend, got, want)
		}
	}
}

func TestPredict_AcceptsUnknownCategories(t *testing.T) {
	h := newServer(t, Options{}).Handler()
	unseen := `{"BASKET_SIZE":"?","BASKET_TYPE":"é","STORE_REGION":"X","STORE_FORMAT":"Y","SPEND":0,"QUANTITY":1e6,"PROD_CODE_20":"Z","PROD_CODE_30":"Z"}`
	got := into[predictAnswer](t, h, "POST", "/predict", unseen, 200)
	if math.Abs(sum(got.Probabilities)-1) > 1e-9 {
		t.Errorf("got %+v", got)
	}
}

func TestPredict_NamesEveryInvalidField(t *testing.T) {
	h := newServer(t, Options{}).Handler()
	for name, c := range map[string]struct {
		old, new string
		field    string
		message  string
	}{
		"missing":          {`"BASKET_SIZE":"M",`, ``, "BASKET_SIZE", "missing"},
		"null":             {`"Top Up"`, `null`, "BASKET_TYPE", "not null"},
		"number for text":  {`"S02"`, `2`, "STORE_REGION", "not a number"},
		"object for text":  {`"LS"`, `{}`, "STORE_FORMAT", "not an object"},
		"empty":            {`"DEP00011"`, `" "`, "PROD_CODE_20", "empty"},
		"too long":         {`G00011`, strings.Repeat("G", 65), "PROD_CODE_30", "at most 64"},
		"text for number":  {`6.4`, `"6.4"`, "SPEND", "not a string"},
		"list for number":  {`6.4`, `[6.4]`, "SPEND", "not a list"},
		"boolean":          {`6.4`, `true`, "SPEND", "not a boolean"},
		"negative":         {`6.4`, `-0.01`, "SPEND", "negative"},
		"infinite":         {`6.4`, `1e999`, "SPEND", "finite"},
		"too large":        {`6.4`, `1000001`, "SPEND", "at most"},
		"negative items":   {`"QUANTITY":2`, `"QUANTITY":-2`, "QUANTITY", "negative"},
		"no item":          {`"QUANTITY":2`, `"QUANTITY":0`, "QUANTITY", "at least 1"},
		"half an item":     {`"QUANTITY":2`, `"QUANTITY":0.5`, "QUANTITY", "whole"},
		"unknown":          {`{`, `{"COLOUR":"red",`, "COLOUR", "not a field"},
		"other case":       {`{`, `{"spend":1,`, "spend", "not a field"},
		"given twice":      {`{`, `{"SPEND":1,`, "SPEND", "twice"},
		"not an object":    {goodRow, `[1]`, "", "must be an object"},
		"null for all":     {goodRow, `null`, "", "must be an object"},
		"long unknown one": {`{`, `{"` + strings.Repeat("ä", 200) + `":1,`, strings.Repeat("ä", 32) + "...", "not a field"},
	} {
		t.Run(name, func(t *testing.T) {
			got := into[failure](t, h, "POST", "/predict", strings.Replace(goodRow, c.old, c.new, 1), http.StatusUnprocessableEntity)
			if len(got.Errors) != 1 || got.Errors[0].Field != c.field || !strings.Contains(got.Errors[0].Message, c.message) {
				t.Errorf("got %+v, expected one about %q saying %q", got.Errors, c.field, c.message)
			}
		})
	}
}

func TestPredict_ReportsAllProblems(t *testing.T) {
	h := newServer(t, Options{}).Handler()
	got := into[failure](t, h, "POST", "/predict", `{"SPEND":-1,"QUANTITY":"2"}`, http.StatusUnprocessableEntity)
	var fields []string
	for _, p := range got.Errors {
		fields = append(fields, p.Field)
	}
	if want := "SPEND QUANTITY BASKET_SIZE BASKET_TYPE STORE_REGION STORE_FORMAT PROD_CODE_20 PROD_CODE_30"; strings.Join(fields, " ") != want {
		t.Errorf("got %s, expected %s", fields, want)
	}
	many := `{"a":1` + strings.Repeat(`,"a":1`, 2000) + `}`
	if got := into[failure](t, h, "POST", "/predict", many, http.StatusUnprocessableEntity); len(got.Errors) != maxProblems {
		t.Errorf("got %d errors, expected %d", len(got.Errors), maxProblems)
	}
}

func TestPredict_InvalidBodies(t *testing.T) {
	h := newServer(t, Options{}).Handler()
	for _, body := range []string{"", "{", goodRow + "x", goodRow + goodRow, strings.Replace(goodRow, "6.4", "NaN", 1), "\xff"} {
		for _, path := range []string{"/predict", "/predict/batch"} {
			into[failure](t, h, "POST", path, body, http.StatusBadRequest)
		}
	}
	into[failure](t, h, "POST", "/predict", goodRow+strings.Repeat(" ", maxBody), http.StatusRequestEntityTooLarge)
	into[failure](t, h, "POST", "/predict/batch", strings.Repeat(" ", maxBatchBody+1), http.StatusRequestEntityTooLarge)
}

func TestPredictBatch_MatchesPredict(t *testing.T) {
	h := newServer(t, Options{}).Handler()
	rows := []string{goodRow, strings.Replace(goodRow, "6.4", "0.2", 1)}
	got := into[batchAnswer](t, h, "POST", "/predict/batch", " ["+strings.Join(rows, ",")+"]", 200)
	if len(got.Predictions) != 2 || got.ModelVersion != "7" {
		t.Fatalf("got %+v", got)
	}
	for i, row := range rows {
		if one := into[predictAnswer](t, h, "POST", "/predict", row, 200); one.prediction != got.Predictions[i] {
			t.Errorf("row %d: %+v in the batch, %+v alone", i, got.Predictions[i], one.prediction)
		}
	}
	full := "[" + strings.Repeat(goodRow+",", maxBatch-1) + goodRow + "]"
	if got := into[batchAnswer](t, h, "POST", "/predict/batch", full, 200); len(got.Predictions) != maxBatch {
		t.Errorf("got %d predictions", len(got.Predictions))
	}
}

func TestPredictBatch_NamesIndexAndField(t *testing.T) {
	h := newServer(t, Options{}).Handler()
	batch := "[" + goodRow + "," + strings.Replace(goodRow, "6.4", "-1", 1) + ",7]"
	got := into[failure](t, h, "POST", "/predict/batch", batch, http.StatusUnprocessableEntity)
	if len(got.Errors) != 2 || *got.Errors[0].Index != 1 || got.Errors[0].Field != "SPEND" || *got.Errors[1].Index != 2 {
		t.Errorf("got %+v", got.Errors)
	}
	tooMany := "[" + strings.Repeat("{},", maxBatch) + "{}]"
	for body, want := range map[string]string{
		"{}": "list", "[]": "not 0", tooMany: "not 1001", "[null]": "object", "null": "list",
	} {
		got := into[failure](t, h, "POST", "/predict/batch", body, http.StatusUnprocessableEntity)
		if !strings.Contains(got.Errors[0].Message, want) {
			t.Errorf("%.20s: %q does not say %q", body, got.Errors[0].Message, want)
		}
	}
	bad := "[" + strings.Repeat("{},", 99) + "{}]"
	if got := into[failure](t, h, "POST", "/predict/batch", bad, http.StatusUnprocessableEntity); len(got.Errors) != maxProblems {
		t.Errorf("got %d errors, expected %d", len(got.Errors), maxProblems)
	}
}

func FuzzDecodeRow(f *testing.F) {
	for _, seed := range []string{
		goodRow, `{}`, `[]`, `null`, `{"SPEND":1e999}`, `{"SPEND":-0}`, `{"BASKET_SIZE":"\ud800"}`, `{"QUANTITY":1.0e0}`,
		`{"a":{"b":[{}]},"a":1}`, strings.Replace(goodRow, "Top Up", "\xff\x00", 1), strings.Replace(goodRow, "6.4", "1e-400", 1),
	} {
		f.Add([]byte(seed))
	}
	m, err := smallModel()
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var raw json.RawMessage
		if json.Unmarshal(body, &raw) != nil {
			t.Skip("readJSON answers 400")
		}
		row, problems := decodeRow(raw)
		if _, err := json.Marshal(problems); err != nil || len(problems) > maxProblems+retail.NumCategories+2 {
			t.Fatalf("%d problems, %v", len(problems), err)
		}
		if len(problems) > 0 {
			return
		}
		for i, text := range row.Categories() {
			if text == "" || len(text) > maxText {
				t.Errorf("category %d is %q", i, text)
			}
		}
		if !(row.Spend >= 0 && row.Spend <= maxNumber) || !(row.Quantity >= 1 && row.Quantity <= maxNumber) || row.Quantity != math.Trunc(row.Quantity) {
			t.Errorf("SPEND %g, QUANTITY %g", row.Spend, row.Quantity)
		}
		if p, _ := m.Predict(&row); math.Abs(p[0]+p[1]+p[2]-1) > 1e-9 {
			t.Errorf("probabilities %v", p)
		}
	})
}
