package server

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"example.com/retail/internal/retail"
)

const (
	// maxText is the longest category accepted, in bytes. The data's longest has 10.
	maxText = 64
	// maxNumber bounds SPEND and QUANTITY: far above any till row, far below overflow.
	maxNumber = 1e6
	// maxProblems bounds an answer: a large request full of mistakes gets a small one.
	maxProblems = 100
)

// problem is one thing wrong with a request.
type problem struct {
	Index   *int   `json:"index,omitempty"` // row of a batch, from 0
	Field   string `json:"field,omitempty"` // absent when it is about the request as a whole
	Message string `json:"message"`
}

// decodeRow parses the eight features of a JSON object and returns all its
// problems, field by field. raw must be valid JSON.
//
// encoding/json's struct decoding is not used because it stops at the first
// mistake, accepts "spend" for "SPEND", and takes a missing number for 0.
func decodeRow(raw []byte) (retail.Features, []problem) {
	if raw[0] != '{' {
		return retail.Features{}, []problem{{Message: "must be an object with the fields " + fieldList()}}
	}
	var d rowDecoder
	in := json.NewDecoder(bytes.NewReader(raw))
	_, _ = in.Token() // the brace just seen
	for in.More() {
		key, keyErr := in.Token()
		var value json.RawMessage
		if err := in.Decode(&value); err != nil || keyErr != nil {
			d.report("", fmt.Sprintf("is not valid JSON near byte %d", in.InputOffset()))
			return d.features, d.problems
		}
		d.field(key.(string), value)
		if len(d.problems) >= maxProblems {
			return d.features, d.problems
		}
	}
	d.missing()
	return d.features, d.problems
}

type rowDecoder struct {
	features retail.Features
	seen     [retail.NumCategories + 2]bool
	problems []problem
}

func (d *rowDecoder) report(field, message string) {
	d.problems = append(d.problems, problem{Field: field, Message: message})
}

func (d *rowDecoder) field(name string, value []byte) {
	f := &d.features
	switch name {
	case retail.BasketSize:
		d.text(0, name, value, &f.BasketSize)
	case retail.BasketType:
		d.text(1, name, value, &f.BasketType)
	case retail.StoreRegion:
		d.text(2, name, value, &f.StoreRegion)
	case retail.StoreFormat:
		d.text(3, name, value, &f.StoreFormat)
	case retail.ProdCode20:
		d.text(4, name, value, &f.ProdCode20)
	case retail.ProdCode30:
		d.text(5, name, value, &f.ProdCode30)
	case retail.Spend:
		d.number(6, name, value, &f.Spend)
	case retail.Quantity:
		d.number(7, name, value, &f.Quantity)
	default:
		d.report(shorten(name), "is not a field: expected "+fieldList())
	}
}

// first marks the field at place as seen, and reports it if it was before.
func (d *rowDecoder) first(place int, name string) bool {
	if d.seen[place] {
		d.report(name, "is given twice")
		return false
	}
	d.seen[place] = true
	return true
}

func (d *rowDecoder) text(place int, name string, value []byte, out *string) {
	if !d.first(place, name) {
		return
	}
	if value[0] != '"' {
		d.report(name, "must be a string, not "+kind(value))
		return
	}
	var text string
	switch err := json.Unmarshal(value, &text); {
	case err != nil:
		d.report(name, "must be a string: "+err.Error())
	case strings.TrimSpace(text) == "":
		d.report(name, "must not be empty")
	case len(text) > maxText:
		d.report(name, fmt.Sprintf("must have at most %d bytes, not %d", maxText, len(text)))
	default:
		*out = text
	}
}

func (d *rowDecoder) number(place int, name string, value []byte, out *float64) {
	if !d.first(place, name) {
		return
	}
	if c := value[0]; c != '-' && (c < '0' || c > '9') {
		d.report(name, "must be a number, not "+kind(value))
		return
	}
	x, err := strconv.ParseFloat(string(value), 64)
	switch {
	case err != nil: // valid JSON, so only too large a number is left
		d.report(name, "must be a finite number")
	case x < 0:
		d.report(name, "must not be negative")
	case x > maxNumber:
		d.report(name, fmt.Sprintf("must be at most %.0f", maxNumber))
	case name == retail.Quantity && (x < 1 || x != math.Trunc(x)):
		d.report(name, "must be a whole number of at least 1")
	default:
		*out = x
	}
}

func (d *rowDecoder) missing() {
	for place, name := range retail.FeatureNames() {
		if !d.seen[place] {
			d.report(name, "is missing")
		}
	}
}

// kind names the type of a JSON value for an error.
func kind(value []byte) string {
	switch value[0] {
	case '"':
		return "a string"
	case '{':
		return "an object"
	case '[':
		return "a list"
	case 't', 'f':
		return "a boolean"
	case 'n':
		return "null"
	}
	return "a number"
}

// shorten keeps a caller's own words short where an error repeats them.
func shorten(s string) string {
	if len(s) <= maxText {
		return s
	}
	cut := maxText
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "..."
}

func fieldList() string { return strings.Join(retail.FeatureNames(), ", ") }
