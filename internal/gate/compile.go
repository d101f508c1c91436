package gate

import (
	"fmt"
	"slices"
	"sort"
	"strings"
	"sync"
	"unicode/utf8"

	"cel.dev/cel-go/cel"

	"github.com/slipway-cd/slipway/internal/fault"
)

// Limits of an expression. The longest useful gates have some 200 characters.
const (
	maxLength = 1000
	maxCost   = 100_000
	maxDepth  = 60
)

// Error is what is wrong with an expression, and where in it.
type Error struct {
	Expr    string
	Line    int // from 1
	Column  int // from 1, in characters
	Message string
}

func (e *Error) Error() string {
	if e.Line > 1 {
		return fmt.Sprintf("gate %q, line %d, column %d: %s", e.Expr, e.Line, e.Column, e.Message)
	}
	return fmt.Sprintf("gate %q, column %d: %s", e.Expr, e.Column, e.Message)
}

// celEnv is built when the first expression is compiled: it takes
// milliseconds that `slipway version` has no reason to pay.
var celEnv = sync.OnceValues(func() (*cel.Env, error) {
	return cel.NewEnv(
		cel.CrossTypeNumericComparisons(true),
		cel.ParserRecursionLimit(maxDepth),
		cel.ParserExpressionSizeLimit(maxLength),
		cel.ParserErrorRecoveryLimit(5),
	)
})

// compiled is a program with the names that it reads.
type compiled struct {
	program cel.Program
	refs    []ref
}

// compile reads an expression. With names, only these may be used; without,
// any name is a metric's.
func compile(expr string, names []string) (compiled, error) {
	fail := func(line, column int, format string, args ...any) (compiled, error) {
		return compiled{}, &Error{Expr: truncate(expr, 120), Line: line, Column: column, Message: fmt.Sprintf(format, args...)}
	}
	switch {
	case strings.TrimSpace(expr) == "":
		return fail(1, 1, "the expression is empty")
	case !utf8.ValidString(expr):
		return fail(1, 1, "the expression is not valid UTF-8")
	case utf8.RuneCountInString(expr) > maxLength:
		return fail(1, maxLength, "the expression is longer than %d characters", maxLength)
	}
	env, err := celEnv()
	if err != nil {
		return fail(1, 1, "start the expression language: %v", err)
	}
	ast, issues := env.Parse(expr)
	if issues.Err() != nil {
		return fail(firstIssue(issues))
	}
	found := inspect(ast.NativeRep())
	if found.problem != "" {
		return fail(found.line, found.column, "%s", found.problem)
	}
	for _, r := range found.refs {
		if names != nil && !slices.Contains(names, r.path[0]) {
			return fail(r.line, r.column, "unknown name %q; %s", r.path[0], fault.DidYouMean(r.path[0], names))
		}
	}
	if len(found.refs) == 0 {
		return fail(1, 1, "the expression is constant: refer to at least one value")
	}
	env, err = env.Extend(declare(found.refs)...)
	if err != nil {
		return fail(1, 1, "%v", err)
	}
	checked, issues := env.Check(ast)
	if issues.Err() != nil {
		return fail(firstIssue(issues))
	}
	if t := checked.OutputType(); !t.IsExactType(cel.BoolType) && !t.IsExactType(cel.DynType) {
		return fail(1, 1, "the expression has type %s, not bool: add a comparison", t)
	}
	program, err := env.Program(checked, cel.EvalOptions(cel.OptPartialEval, cel.OptTrackState), cel.CostLimit(maxCost))
	if err != nil {
		return fail(1, 1, "%v", err)
	}
	return compiled{program, found.refs}, nil
}

// declare makes a variable of every name that is read.
func declare(refs []ref) []cel.EnvOption {
	seen := map[string]bool{}
	var opts []cel.EnvOption
	for _, r := range refs {
		if name := r.path[0]; !seen[name] {
			seen[name] = true
			opts = append(opts, cel.Variable(name, cel.DynType))
		}
	}
	return opts
}

// firstIssue is the first thing that the language found wrong, in our words.
func firstIssue(issues *cel.Issues) (line, column int, format, what string) {
	errs := append([]*cel.Error(nil), issues.Errors()...)
	if len(errs) == 0 {
		return 1, 1, "%s", issues.Err().Error()
	}
	sort.SliceStable(errs, func(i, j int) bool {
		a, b := errs[i].Location, errs[j].Location
		return a.Line() < b.Line() || a.Line() == b.Line() && a.Column() < b.Column()
	})
	at := errs[0].Location
	what = strings.TrimPrefix(errs[0].Message, "Syntax error: ")
	what, _, _ = strings.Cut(what, " expecting {")
	what = strings.ReplaceAll(what, "<EOF>", "the end")
	if name, ok := strings.CutPrefix(what, "undeclared reference to '"); ok {
		name, _, _ = strings.Cut(name, "'")
		what = fmt.Sprintf("unknown function %q", name)
	}
	return max(at.Line(), 1), max(at.Column(), 0) + 1, "%s", what
}

func truncate(s string, most int) string {
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "..."
	}
	return s
}
