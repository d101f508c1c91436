package gate

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
)

// result is the value of an expression.
type result struct {
	value   bool
	unknown bool   // it depends on the champion, and none was given
	problem string // why it could not be evaluated
}

func evaluate(p cel.Program, vars map[string]any, noChampion bool) result {
	var missing []*cel.AttributePatternType
	if noChampion {
		missing = append(missing, cel.AttributePattern(championVar))
	}
	activation, err := cel.PartialVars(vars, missing...)
	if err != nil {
		return result{problem: err.Error()}
	}
	out, details, err := p.Eval(activation)
	if err != nil {
		return result{problem: translateError(err)}
	}
	if types.IsUnknown(out) {
		return result{unknown: true}
	}
	if odd := nonFiniteProblem(details); odd != "" {
		return result{problem: odd}
	}
	yes, ok := out.(types.Bool)
	if !ok {
		return result{problem: fmt.Sprintf("the expression returned %s, not true or false", formatValue(out.Value()))}
	}
	return result{value: bool(yes)}
}

// translateError explains the common errors of the language.
func translateError(err error) string {
	s := err.Error()
	switch {
	case strings.Contains(s, "no such overload"):
		return "the expression compares values of different types"
	case strings.Contains(s, "cost limit exceeded"):
		return "the expression is too expensive to evaluate"
	}
	return s
}

// nonFiniteProblem reports a calculation that left the finite numbers: every
// comparison with NaN is false, also the negated one.
func nonFiniteProblem(details *cel.EvalDetails) string {
	if details == nil {
		return ""
	}
	state := details.State()
	for _, id := range state.IDs() {
		v, ok := state.Value(id)
		if !ok {
			continue
		}
		if f, ok := v.(types.Double); ok && isNonFinite(float64(f)) {
			return fmt.Sprintf("a calculation returned %v, which is not a finite number", float64(f))
		}
	}
	return ""
}

func isNonFinite(f float64) bool { return math.IsNaN(f) || math.IsInf(f, 0) }

// checkRefs returns what is wrong with the first value that can't be used, or "".
func checkRefs(refs []ref, vars map[string]any) string {
	for _, r := range refs {
		v, problem := resolve(r, vars)
		switch {
		case problem == "":
			problem = valueProblem(r.String(), v)
		case r.guarded:
			problem = ""
		}
		if problem != "" {
			return problem
		}
	}
	return ""
}

// resolve returns a reference's value, or why there is none.
func resolve(r ref, vars map[string]any) (any, string) {
	var v any = vars
	for i, part := range r.path {
		m, ok := v.(map[string]any)
		if !ok {
			return nil, fmt.Sprintf("%s is %s and has no %q", ref{path: r.path[:i]}, describeKind(v), part)
		}
		next, ok := m[part]
		if !ok {
			return nil, notFound(ref{path: r.path[:i]}, part, m)
		}
		v = next
	}
	return v, ""
}

func notFound(parent ref, name string, available map[string]any) string {
	var known []string
	for k := range available {
		if len(parent.path) > 0 || k != metricsVar && k != championVar {
			known = append(known, k)
		}
	}
	of := ""
	if len(parent.path) > 0 {
		of = " in " + parent.String()
	}
	text := fmt.Sprintf("%q not found%s", name, of)
	if near, ok := fault.Nearest(name, known); ok {
		text += fmt.Sprintf("; did you mean %q?", near)
	}
	if len(known) == 0 {
		return text + "; nothing is available"
	}
	return text + "; available: " + fault.Enumerate(known)
}

// valueProblem returns why a value can't be compared, or "".
func valueProblem(name string, v any) string {
	switch v := v.(type) {
	case nil:
		return name + " is null"
	case float64:
		if isNonFinite(v) {
			return fmt.Sprintf("%s is %v, which is not a finite number", name, v)
		}
	case string:
		if f, err := strconv.ParseFloat(v, 64); err == nil {
			return fmt.Sprintf("%s is the string %q, not the number %v", name, v, f)
		}
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			if said := nestedProblem(name+"."+k, v[k]); said != "" {
				return said
			}
		}
	case []any:
		for i, x := range v {
			if said := nestedProblem(fmt.Sprintf("%s[%d]", name, i), x); said != "" {
				return said
			}
		}
	}
	return ""
}

// nestedProblem is stricter about numbers only: a list may hold texts and nulls.
func nestedProblem(name string, v any) string {
	switch v.(type) {
	case float64, map[string]any, []any:
		return valueProblem(name, v)
	}
	return ""
}

// evidence shows the values that were read: "accuracy = 0.87".
func evidence(refs []ref, vars map[string]any) string {
	var said []string
	for _, r := range refs {
		if v, problem := resolve(r, vars); problem == "" {
			said = append(said, r.String()+" = "+formatValue(v))
		}
	}
	return strings.Join(said, ", ")
}

// formatValue writes a value for people; numbers are exact, so that 0.7999999 is not
// shown as the 0.8 that it failed to reach.
func formatValue(v any) string {
	if f, ok := v.(float64); ok {
		return strconv.FormatFloat(f, 'g', -1, 64)
	}
	b, err := json.Marshal(v)
	if err != nil {
		return truncate(fmt.Sprint(v), 80)
	}
	return truncate(string(b), 80)
}

func describeKind(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case float64:
		return "a number"
	case string:
		return "a string"
	case bool:
		return "a boolean"
	case []any:
		return "a list"
	}
	return "a value without fields"
}

// toFloats copies a value with every number as float64, however it was made.
func toFloats(v any, depth int) (any, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("the values are nested more than %d levels deep", maxDepth)
	}
	switch v := v.(type) {
	case nil, bool, string, float64:
		return v, nil
	case float32:
		return float64(v), nil
	case int:
		return float64(v), nil
	case int32:
		return float64(v), nil
	case int64:
		return float64(v), nil
	case uint64:
		return float64(v), nil
	case json.Number:
		return v.Float64()
	case delivery.Metrics:
		return toFloats(map[string]any(v), depth)
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, x := range v {
			n, err := toFloats(x, depth+1)
			if err != nil {
				return nil, err
			}
			out[k] = n
		}
		return out, nil
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			n, err := toFloats(x, depth+1)
			if err != nil {
				return nil, err
			}
			out[i] = n
		}
		return out, nil
	}
	return nil, fmt.Errorf("unsupported value of type %T", v)
}
