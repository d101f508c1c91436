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

// constraints are what a field's jsonschema tag demands.
type constraints struct {
	required bool
	unless   string // required only without this other key
	enum     []string
	kinds    string // list of kinds that the value is one of
	minItems int
	min, max *float64
}

func (r constraints) allows(text string) bool { return slices.Contains(r.enum, text) }

// field is a key of the file.
type field struct {
	index       int
	description string
	constraints constraints
}

func fieldsOf(t reflect.Type) map[string]field {
	out := map[string]field{}
	for i := range t.NumField() {
		f := t.Field(i)
		about, _, _ := strings.Cut(f.Tag.Get("jsonschema_description"), ". ")
		name := f.Tag.Get("yaml")
		if name == "" || name == "-" {
			continue // resolved by the decoder, not a key
		}
		c := parseConstraints(f.Tag.Get("jsonschema"))
		c.kinds, c.unless = f.Tag.Get("kinds"), f.Tag.Get("unless")
		out[name] = field{index: i, description: strings.TrimSuffix(about, "."), constraints: c}
	}
	return out
}

func parseConstraints(tag string) constraints {
	var r constraints
	for _, part := range strings.Split(tag, ",") {
		name, value, _ := strings.Cut(part, "=")
		number, _ := strconv.ParseFloat(value, 64)
		switch name {
		case "required":
			r.required = true
		case "enum":
			r.enum = append(r.enum, value)
		case "minItems", "minProperties":
			r.minItems = int(number)
		case "minimum":
			r.min = &number
		case "maximum":
			r.max = &number
		}
	}
	return r
}

func keysOf(fields map[string]field) []string {
	var out []string
	for n := range fields {
		out = append(out, n)
	}
	sort.Strings(out)
	return out
}

func suggest(word string, allowed []string) string {
	if near, ok := fault.Nearest(word, allowed); ok {
		return fmt.Sprintf("did you mean %q?", near)
	}
	return "allowed: " + fault.Enumerate(allowed)
}

func joinPath(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// prefix starts a sentence about what is in a value.
func prefix(path string) string {
	if path == "" {
		return ""
	}
	return path + ": "
}

// subject starts a sentence about the value itself.
func subject(path string) string {
	if path == "" {
		return "the file "
	}
	return path + " "
}

func describeNode(n ast.Node) string {
	switch n.(type) {
	case *ast.StringNode, *ast.LiteralNode:
		return "a string"
	case *ast.BoolNode:
		return "true or false"
	case *ast.SequenceNode:
		return "a list"
	case *ast.MappingNode, *ast.MappingValueNode:
		return "a mapping"
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

// decodeAny reads any value as JSON has it.
func (d *decoder) decodeAny(n ast.Node, path string, depth int) any {
	if depth > maxNesting {
		d.addError(path, "", "%snested too deeply", prefix(path))
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
			out[i] = d.decodeAny(x, fmt.Sprintf("%s[%d]", path, i), depth+1)
		}
		return out
	case *ast.MappingNode, *ast.MappingValueNode:
		d.positions[path] = positionOfNode(n)
		pairs, _ := d.pairs(n, path)
		out := map[string]any{}
		for _, p := range pairs {
			out[p.name] = d.decodeAny(p.value, joinPath(path, p.name), depth+1)
		}
		return out
	}
	d.addErrorAt(positionOfNode(n), "", "%snot representable as JSON", prefix(path))
	return nil
}
