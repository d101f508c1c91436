// Package gate evaluates boolean CEL expressions: over a model's metrics, and
// over the response to a smoke request. Results carry evidence, and an expression
// that could not be evaluated never passes.
package gate

import (
	"strings"

	"cel.dev/cel-go/cel"

	"github.com/slipway-cd/slipway/internal/delivery"
)

// Names that an expression may use besides the metrics.
const (
	championVar = "champion" // metrics of the deployed model
	metricsVar  = "metrics"  // all metrics as a map: metrics["f1-macro"]
)

// Gate is an expression over metrics. It is immutable and safe for concurrent
// use.
type Gate struct {
	expr    string
	program cel.Program
	refs    []ref
}

// Compile parses a gate such as "accuracy >= champion.accuracy - 0.01". Every
// name is a metric of the evaluated model; champion holds those of the deployed
// model. An error is an *Error.
func Compile(expr string) (Gate, error) {
	p, err := compile(expr, nil)
	if err != nil {
		return Gate{}, err
	}
	return Gate{expr: expr, program: p.program, refs: p.refs}, nil
}

// String is the expression.
func (g Gate) String() string { return g.expr }

// Evaluate evaluates the gate. Passed and Failed carry the values that decided
// it. Unavailable carries what to investigate: a metric that is missing or not a
// finite number. With a nil champion, comparisons with it are skipped: the rest
// still has to hold.
func (g Gate) Evaluate(metrics, champion delivery.Metrics) delivery.GateResult {
	answer := delivery.GateResult{Gate: g.expr, Verdict: delivery.Unavailable}
	if g.program == nil {
		answer.Evidence = "the gate was not compiled"
		return answer
	}
	vars, err := variables(metrics, champion)
	if err != nil {
		answer.Evidence = err.Error()
		return answer
	}
	known := g.resolvableRefs(champion != nil)
	if problem := checkRefs(known, vars); problem != "" {
		answer.Evidence = problem
		return answer
	}
	out := evaluate(g.program, vars, champion == nil)
	answer.Evidence = evidence(known, vars)
	switch {
	case out.problem != "":
		answer.Evidence = join(out.problem, answer.Evidence)
	case out.unknown:
		answer.Verdict = delivery.Passed
		answer.Evidence = join("no champion yet", answer.Evidence)
	case out.value:
		answer.Verdict = delivery.Passed
	default:
		answer.Verdict = delivery.Failed
	}
	return answer
}

// resolvableRefs are the references that can be looked up now.
func (g Gate) resolvableRefs(champion bool) []ref {
	if champion {
		return g.refs
	}
	var out []ref
	for _, r := range g.refs {
		if r.path[0] != championVar {
			out = append(out, r)
		}
	}
	return out
}

// variables lays out the metrics as an expression sees them. A metric named
// like one of our own names is reached through metrics["..."].
func variables(metrics, champion delivery.Metrics) (map[string]any, error) {
	all, err := toFloats(map[string]any(metrics), 0)
	if err != nil {
		return nil, err
	}
	vars := map[string]any{}
	for name, v := range all.(map[string]any) {
		vars[name] = v
	}
	vars[metricsVar] = all
	delete(vars, championVar)
	if champion != nil {
		c, err := toFloats(map[string]any(champion), 0)
		if err != nil {
			return nil, err
		}
		vars[championVar] = c
	}
	return vars, nil
}

func join(parts ...string) string {
	var said []string
	for _, p := range parts {
		if p != "" {
			said = append(said, p)
		}
	}
	return strings.Join(said, "; ")
}
