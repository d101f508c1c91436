package config

import (
	"fmt"
	"reflect"
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/slipway-cd/slipway/internal/fault"
)

// rules are what a field's jsonschema tag demands.
type rules struct {
	required bool
	enum     []string
	least    int
	min, max *float64
}

func (r rules) has(text string) bool { return slices.Contains(r.enum, text) }

// field is a key of the file.
type field struct {
	index int
	about string
	rules rules
}

func fieldsOf(t reflect.Type) map[string]field {
	out := map[string]field{}
	for i := range t.NumField() {
		f := t.Field(i)
		about, _, _ := strings.Cut(f.Tag.Get("jsonschema_description"), ". ")
		out[f.Tag.Get("yaml")] = field{index: i, about: strings.TrimSuffix(about, "."), rules: rulesOf(f.Tag.Get("jsonschema"))}
	}
	return out
}

func rulesOf(tag string) rules {
	var r rules
	for _, part := range strings.Split(tag, ",") {
		name, value, _ := strings.Cut(part, "=")
		number, _ := strconv.ParseFloat(value, 64)
		switch name {
		case "required":
			r.required = true
		case "enum":
			r.enum = append(r.enum, value)
		case "minItems", "minProperties":
			r.least = int(number)
		case "minimum":
			r.min = &number
		case "maximum":
			r.max = &number
		}
	}
	return r
}

func names(fields map[string]field) []string {
	var out []string
	for n := range fields {
		out = append(out, n)
	}
	sort.Strings(out)
	return out
}

func choose(word string, allowed []string) string {
	if near, ok := fault.Nearest(word, allowed); ok {
		return fmt.Sprintf("did you mean %q?", near)
	}
	return "possible: " + fault.Enumerate(allowed)
}

func under(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// named starts a sentence about what is in a value.
func named(path string) string {
	if path == "" {
		return ""
	}
	return path + ": "
}

// called starts a sentence about the value itself.
func called(path string) string {
	if path == "" {
		return "the file "
	}
	return path + " "
}

func kind(n ast.Node) string {
	switch n.(type) {
	case *ast.StringNode, *ast.LiteralNode:
		return "a text"
	case *ast.BoolNode:
		return "true or false"
	case *ast.SequenceNode:
		return "a list"
	case *ast.MappingNode, *ast.MappingValueNode:
		return "keys with values"
	}
	if isNumber(n) {
		return "a number"
	}
	return "something else"
}

func isNumber(n ast.Node) bool {
	switch n.(type) {
	case *ast.IntegerNode, *ast.FloatNode:
		return true
	}
	return false
}

// plain reads any value as JSON has it.
func (d *decoder) plain(n ast.Node, path string, depth int) any {
	if depth > maxNesting {
		d.fail(path, "", "%snested too deep", named(path))
		return nil
	}
	switch n := n.(type) {
	case *ast.NullNode:
		return nil
	case *ast.StringNode:
		return n.Value
	case *ast.LiteralNode:
		return n.Value.Value
	case *ast.BoolNode:
		return n.Value
	case *ast.IntegerNode:
		return n.Value
	case *ast.FloatNode:
		return n.Value
	case *ast.SequenceNode:
		out := make([]any, len(n.Values))
		for i, x := range n.Values {
			out[i] = d.plain(x, fmt.Sprintf("%s[%d]", path, i), depth+1)
		}
		return out
	case *ast.MappingNode, *ast.MappingValueNode:
		d.places[path] = where(n)
		pairs, _ := d.pairs(n, path)
		out := map[string]any{}
		for _, p := range pairs {
			out[p.name] = d.plain(p.value, under(path, p.name), depth+1)
		}
		return out
	}
	d.failAt(where(n), "", "%sthis is not JSON", named(path))
	return nil
}
