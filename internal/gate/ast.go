package gate

import (
	"slices"
	"strings"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
)

// ref is a name that an expression reads: per_class.LA.recall.
type ref struct {
	path         []string
	guarded      bool // has(...) tests it, so it may be missing
	line, column int
}

func (r ref) String() string {
	var b strings.Builder
	for i, part := range r.path {
		switch {
		case i == 0:
			b.WriteString(part)
		case isIdentifier(part):
			b.WriteString("." + part)
		default:
			b.WriteString(`["` + part + `"]`)
		}
	}
	return b.String()
}

func isIdentifier(name string) bool {
	for i, c := range name {
		letter := c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return name != ""
}

// inspector walks an expression before it is checked.
type inspector struct {
	tree         *ast.AST
	bound        map[string]int // variables of comprehensions in scope
	seen         map[string]int
	factory      ast.ExprFactory
	nextID       int64
	refs         []ref
	problem      string
	line, column int
}

// inspect finds what the expression reads, and makes every whole number in it a
// decimal one: metrics are decimal, and CEL does not add 1 to 0.5.
func inspect(tree *ast.AST) *inspector {
	in := &inspector{
		tree: tree, bound: map[string]int{}, seen: map[string]int{},
		factory: ast.NewExprFactory(), nextID: ast.MaxID(tree) + 1,
	}
	root := tree.Expr()
	if root.Kind() == ast.CallKind && numericFunctions[root.AsCall().FunctionName()] {
		in.fail(root, "the expression returns a number, not a boolean: add a comparison")
	}
	in.walk(root)
	in.guard()
	return in
}

// guard marks what lies below something that has() tests anywhere as guarded:
// `has(a.b) ? a.b.c > 1 : true`.
func (in *inspector) guard() {
	for i, r := range in.refs {
		for _, g := range in.refs {
			if g.guarded && len(g.path) <= len(r.path) && slices.Equal(g.path, r.path[:len(g.path)]) {
				in.refs[i].guarded = true
			}
		}
	}
}

// numericFunctions never return a boolean.
var numericFunctions = map[string]bool{
	operators.Add: true, operators.Subtract: true, operators.Multiply: true,
	operators.Divide: true, operators.Negate: true, "size": true, "double": true, "int": true, "uint": true,
}

func (in *inspector) fail(e ast.Expr, what string) {
	if in.problem == "" {
		in.problem = what
		in.line, in.column = in.positionOf(e)
	}
}

func (in *inspector) positionOf(e ast.Expr) (line, column int) {
	at := in.tree.SourceInfo().GetStartLocation(e.ID())
	return max(at.Line(), 1), max(at.Column(), 0) + 1
}

func (in *inspector) walk(e ast.Expr) {
	if path, start, guarded, ok := in.refPath(e); ok {
		in.add(path, start, guarded)
		return
	}
	switch e.Kind() {
	case ast.SelectKind:
		in.walk(e.AsSelect().Operand())
	case ast.CallKind:
		in.call(e)
	case ast.ListKind:
		for _, x := range e.AsList().Elements() {
			in.walk(x)
		}
	case ast.MapKind:
		for _, x := range e.AsMap().Entries() {
			in.walk(x.AsMapEntry().Value())
		}
	case ast.StructKind:
		in.fail(e, "message construction is not supported")
	case ast.ComprehensionKind:
		in.comprehension(e.AsComprehension())
	case ast.LiteralKind:
		in.literal(e)
	}
}

func (in *inspector) call(e ast.Expr) {
	c := e.AsCall()
	if c.FunctionName() == operators.Modulo {
		in.fail(e, "operator % is not supported on floating-point values")
		return
	}
	if c.IsMemberFunction() {
		in.walk(c.Target())
	}
	for i, x := range c.Args() {
		if c.FunctionName() == operators.Index && i == 1 && x.Kind() == ast.LiteralKind {
			continue // a place in a list stays whole
		}
		in.walk(x)
	}
	switch c.FunctionName() {
	case "size", "int", "uint":
		whole := in.factory.CopyExpr(e)
		whole.RenumberIDs(in.renumber(e.ID()))
		e.SetKindCase(in.factory.NewCall(e.ID(), "double", whole))
	}
}

// renumber gives the wrapped call an ID of its own at the same position.
func (in *inspector) renumber(outer int64) ast.IDGenerator {
	return func(id int64) int64 {
		if id != outer {
			return id
		}
		in.nextID++
		if r, ok := in.tree.SourceInfo().GetOffsetRange(outer); ok {
			in.tree.SourceInfo().SetOffsetRange(in.nextID, r)
		}
		return in.nextID
	}
}

func (in *inspector) comprehension(c ast.ComprehensionExpr) {
	in.walk(c.IterRange())
	names := []string{c.IterVar(), c.AccuVar()}
	if c.HasIterVar2() {
		names = append(names, c.IterVar2())
	}
	for _, n := range names {
		in.bound[n]++
	}
	for _, x := range []ast.Expr{c.LoopCondition(), c.LoopStep(), c.Result()} {
		in.walk(x)
	}
	for _, n := range names {
		in.bound[n]--
	}
}

func (in *inspector) literal(e ast.Expr) {
	switch v := e.AsLiteral().(type) {
	case types.Int:
		e.SetKindCase(in.factory.NewLiteral(e.ID(), types.Double(v)))
	case types.Uint:
		e.SetKindCase(in.factory.NewLiteral(e.ID(), types.Double(v)))
	}
}

// refPath reads a.b["c"] as a path, unless it starts at a variable of a
// comprehension or at the name of a type.
func (in *inspector) refPath(e ast.Expr) (path []string, start ast.Expr, guarded, ok bool) {
	switch e.Kind() {
	case ast.IdentKind:
		name := strings.TrimPrefix(e.AsIdent(), ".")
		if in.bound[name] > 0 || typeNames[name] {
			return nil, nil, false, false
		}
		return []string{name}, e, false, true
	case ast.SelectKind:
		s := e.AsSelect()
		path, start, guarded, ok = in.refPath(s.Operand())
		return append(path, s.FieldName()), start, guarded || s.IsTestOnly(), ok
	case ast.CallKind:
		c := e.AsCall()
		if c.FunctionName() != operators.Index || len(c.Args()) != 2 || c.Args()[1].Kind() != ast.LiteralKind {
			return nil, nil, false, false
		}
		key, isText := c.Args()[1].AsLiteral().(types.String)
		if !isText {
			return nil, nil, false, false
		}
		path, start, guarded, ok = in.refPath(c.Args()[0])
		return append(path, string(key)), start, guarded, ok
	}
	return nil, nil, false, false
}

var typeNames = map[string]bool{
	"bool": true, "bytes": true, "double": true, "int": true, "uint": true, "string": true,
	"list": true, "map": true, "null_type": true, "type": true,
}

// add keeps a reference once.
func (in *inspector) add(path []string, at ast.Expr, guarded bool) {
	line, column := in.positionOf(at)
	r := ref{path: path, guarded: guarded, line: line, column: column}
	if i, ok := in.seen[r.String()]; ok {
		in.refs[i].guarded = in.refs[i].guarded || guarded
		return
	}
	in.seen[r.String()] = len(in.refs)
	in.refs = append(in.refs, r)
}
