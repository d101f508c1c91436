package pipeline

import (
	"regexp"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

var (
	envExpression = regexp.MustCompile(`\$\{\{\s*env\.([A-Za-z_][A-Za-z0-9_]*)\s*\}\}`)
	shellVariable = regexp.MustCompile(`\$(?:[A-Za-z_][A-Za-z0-9_]*|\{[A-Za-z_][A-Za-z0-9_]*\})`)
)

// document is a parsed file with its anchors.
type document struct {
	tree    ast.Node
	anchors map[string]ast.Node
}

func newDocument(tree ast.Node) *document {
	d := &document{tree: tree, anchors: map[string]ast.Node{}}
	ast.Walk(anchorFinder(d.anchors), tree)
	return d
}

type anchorFinder map[string]ast.Node

// Visit notes anchors.
func (f anchorFinder) Visit(n ast.Node) ast.Visitor {
	if a, ok := n.(*ast.AnchorNode); ok {
		f[a.Name.GetToken().Value] = a.Value
	}
	return f
}

func (d *document) root() node { return node{d, d.tree, 0} }

// node is a value in the document; the zero value is one that is not there.
type node struct {
	doc *document
	ast ast.Node
	key int // line of its key
}

// maxAliases is how many aliases of aliases are followed.
const maxAliases = 10

func (n node) value() ast.Node {
	v := n.ast
	for range maxAliases {
		switch x := v.(type) {
		case *ast.AnchorNode:
			v = x.Value
		case *ast.TagNode:
			v = x.Value
		case *ast.AliasNode:
			v = n.doc.anchors[x.Value.GetToken().Value]
		default:
			return v
		}
	}
	return nil
}

func (n node) exists() bool { return n.ast != nil }

func (n node) isMap() bool {
	switch n.value().(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		return true
	}
	return false
}

// line is that of the key, or of the value itself.
func (n node) line() int {
	if n.key > 0 {
		return n.key
	}
	return lineOf(n.ast)
}

func lineOf(n ast.Node) int {
	if n == nil || n.GetToken() == nil || n.GetToken().Position == nil {
		return 1
	}
	tk := n.GetToken()
	switch m := n.(type) {
	case *ast.MappingNode:
		if len(m.Values) > 0 && !m.IsFlowStyle {
			tk = m.Values[0].Key.GetToken()
		}
	case *ast.MappingValueNode:
		tk = m.Key.GetToken()
	}
	return max(tk.Position.Line, 1)
}

// field is a key with its value.
type field struct {
	name  string
	value node
}

func (n node) fields() []field {
	var values []*ast.MappingValueNode
	switch m := n.value().(type) {
	case *ast.MappingNode:
		values = m.Values
	case *ast.MappingValueNode:
		values = []*ast.MappingValueNode{m}
	}
	var out []field
	for _, v := range values {
		if v.Key.IsMergeKey() {
			out = append(out, node{doc: n.doc, ast: v.Value}.fields()...)
			continue
		}
		tk := v.Key.GetToken()
		out = append(out, field{strings.Trim(tk.Value, `"'`), node{n.doc, v.Value, max(tk.Position.Line, 1)}})
	}
	return out
}

func (n node) get(keys ...string) node {
	for _, key := range keys {
		found := node{}
		for _, f := range n.fields() {
			if f.name == key {
				found = f.value
			}
		}
		if n = found; !n.exists() {
			return node{}
		}
	}
	return n
}

// items are the entries of a list, or the one value.
func (n node) items() []node {
	list, ok := n.value().(*ast.SequenceNode)
	if !ok {
		if n.ast == nil {
			return nil
		}
		return []node{n}
	}
	var out []node
	for _, v := range list.Values {
		item := node{doc: n.doc, ast: v}
		if nested, ok := item.value().(*ast.SequenceNode); ok { // GitLab flattens lists
			for _, w := range nested.Values {
				out = append(out, node{doc: n.doc, ast: w})
			}
			continue
		}
		out = append(out, item)
	}
	return out
}

func (n node) text() string {
	switch v := n.value().(type) {
	case nil, *ast.MappingNode, *ast.MappingValueNode, *ast.SequenceNode, *ast.NullNode:
		return ""
	case *ast.StringNode:
		return v.Value
	case *ast.LiteralNode:
		return v.Value.Value
	default:
		return v.GetToken().Value
	}
}

func (n node) entries() []Entry {
	var out []Entry
	for _, item := range n.items() {
		if t := item.text(); t != "" {
			out = append(out, Entry{t, item.line()})
		}
	}
	return out
}

func (n node) variables() []Variable {
	var out []Variable
	for _, f := range n.fields() {
		out = append(out, Variable{f.name, f.value.text(), f.value.line()})
	}
	return out
}

// script returns the lines of a shell script with their places in the file.
func (n node) script() []Entry {
	first := lineOf(n.ast)
	text := n.text()
	if l, ok := n.value().(*ast.LiteralNode); ok {
		first, text = lineOf(l)+1, l.Value.GetToken().Origin
	}
	var out []Entry
	open := false
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		continues := strings.HasSuffix(line, `\`)
		part := strings.TrimSpace(strings.TrimSuffix(line, `\`))
		switch {
		case open:
			out[len(out)-1].Text = strings.TrimSpace(out[len(out)-1].Text + " " + part)
		case part == "" || strings.HasPrefix(part, "#"):
			continue
		default:
			out = append(out, Entry{part, first + i})
		}
		open = continues && len(out) > 0
	}
	return out
}
