package config

import (
	"reflect"
	"strconv"

	"github.com/goccy/go-yaml/ast"
)

func (d *decoder) decodeScalar(v reflect.Value, n ast.Node, path string, r constraints) {
	switch v.Kind() {
	case reflect.String:
		text, ok := d.text(n, path, "a string")
		if !ok {
			return
		}
		if r.kinds != "" {
			r.enum, _ = kindsIn(d.kinds, r.kinds)
		}
		if len(r.enum) > 0 && !r.allows(text) {
			d.addError(path, suggest(text, r.enum), "%sinvalid value %q", prefix(path), text)
		}
		v.SetString(text)
	case reflect.Int:
		i, err := strconv.ParseInt(n.GetToken().Value, 0, 32)
		if _, ok := n.(*ast.IntegerNode); !ok || err != nil {
			d.addError(path, "", "%sis %s, not a whole number", subject(path), describeNode(n))
			return
		}
		d.checkBounds(float64(i), path, r)
		v.SetInt(i)
	case reflect.Float64:
		f, err := strconv.ParseFloat(n.GetToken().Value, 64)
		if !isNumber(n) || err != nil {
			d.addError(path, "", "%sis %s, not a number", subject(path), describeNode(n))
			return
		}
		d.checkBounds(f, path, r)
		v.SetFloat(f)
	case reflect.Bool:
		b, ok := n.(*ast.BoolNode)
		if !ok {
			d.addError(path, "write true or false", "%sis %s, not true or false", subject(path), describeNode(n))
			return
		}
		v.SetBool(b.Value)
	}
}

func (d *decoder) checkBounds(f float64, path string, r constraints) {
	text := strconv.FormatFloat(f, 'g', -1, 64)
	switch {
	case len(r.enum) > 0 && !r.allows(text):
		d.addError(path, suggest(text, r.enum), "%sinvalid value %s", prefix(path), text)
	case r.min != nil && f < *r.min:
		d.addError(path, "", "%s%s is less than %v", prefix(path), text, *r.min)
	case r.max != nil && f > *r.max:
		d.addError(path, "", "%s%s is more than %v", prefix(path), text, *r.max)
	}
}
