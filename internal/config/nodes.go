package config

import (
	"fmt"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// text reads a string, plain, quoted or as a block.
func (d *decoder) text(n ast.Node, path, wanted string) (string, bool) {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return n.Value.Value, true
	case *ast.MappingNode, *ast.MappingValueNode, *ast.SequenceNode:
		d.addError(path, "", "%sis %s, not %s", subject(path), describeNode(n), wanted)
	default:
		if v := n.GetToken().Value; wanted == "a string" {
			d.addError(path, fmt.Sprintf("put it in quotes: %q", v), "%sis %s, not %s", subject(path), describeNode(n), wanted)
		} else {
			d.addError(path, "", "%s%s is not %s", prefix(path), v, wanted)
		}
	}
	return "", false
}

// pair is one key with its value.
type pair struct {
	name     string
	position position
	value    ast.Node
}

func (d *decoder) pairs(n ast.Node, path string) ([]pair, bool) {
	var nodes []*ast.MappingValueNode
	switch n := n.(type) {
	case *ast.MappingNode:
		nodes = n.Values
	case *ast.MappingValueNode:
		nodes = []*ast.MappingValueNode{n}
	default:
		d.addError(path, "write it as key: value", "%sis %s, not a mapping", subject(path), describeNode(n))
		return nil, false
	}
	var out []pair
	first := map[string]position{}
	for _, m := range nodes {
		at := positionOfNode(m.Key)
		name, ok := keyText(m.Key)
		if !ok {
			d.addErrorAt(at, "keys must be plain strings", "%sinvalid key", prefix(path))
			continue
		}
		if before, twice := first[name]; twice {
			d.addErrorAt(at, fmt.Sprintf("the first one is on line %d", before.line), "%sduplicate key %q", prefix(path), name)
			continue
		}
		first[name] = at
		out = append(out, pair{name, at, m.Value})
	}
	return out, true
}

func keyText(k ast.MapKeyNode) (string, bool) {
	switch k := k.(type) {
	case *ast.StringNode:
		return k.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		return k.GetToken().Value, true
	}
	return "", false
}

func positionOfNode(n ast.Node) position {
	tk := n.GetToken()
	if m, ok := n.(*ast.MappingNode); ok && len(m.Values) > 0 && !m.IsFlowStyle {
		tk = m.Values[0].Key.GetToken()
	}
	if m, ok := n.(*ast.MappingValueNode); ok {
		tk = m.Key.GetToken()
	}
	if tk == nil || tk.Position == nil {
		return position{line: 1, column: 1}
	}
	at := position{line: max(tk.Position.Line, 1), column: max(tk.Position.Column, 1)}
	s, ok := n.(*ast.StringNode)
	if !ok {
		return at
	}
	origin := strings.TrimSpace(tk.Origin)
	switch tk.Type {
	case token.SingleQuoteType, token.DoubleQuoteType:
		at.raw = strings.Contains(tk.Origin, s.Value) && !strings.Contains(s.Value, "\n")
		if at.raw {
			at.column++
		}
	default:
		at.raw = origin == s.Value
	}
	return at
}
