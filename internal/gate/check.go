package gate

import (
	"encoding/json"

	"cel.dev/cel-go/cel"
)

// Response is the response to a smoke request.
type Response struct {
	Status       int
	Body         []byte            // JSON; anything else is seen as one text
	Headers      map[string]string // names in lower case
	Release      string            // that answered
	ModelVersion string
}

// Check is an expression over a Response. It is immutable and safe for concurrent
// use.
type Check struct {
	expr    string
	program cel.Program
	refs    []ref
}

// CompileCheck parses an expression such as "body.class in ['LA', 'MM']" over
// status, body, headers, release and model_version. An error is an *Error.
func CompileCheck(expr string) (Check, error) {
	p, err := compile(expr, []string{"status", "body", "headers", "release", "model_version"})
	if err != nil {
		return Check{}, err
	}
	return Check{expr: expr, program: p.program, refs: p.refs}, nil
}

// String is the expression.
func (c Check) String() string { return c.expr }

// Evaluate returns whether the expression holds, with the values that decided it.
// If it can't be evaluated it does not hold, and evidence is the reason.
func (c Check) Evaluate(r Response) (yes bool, why string) {
	if c.program == nil {
		return false, "the check was not compiled"
	}
	vars, err := c.variables(r)
	if err != nil {
		return false, err.Error()
	}
	for _, ref := range c.refs {
		if _, problem := resolve(ref, vars); problem != "" && !ref.guarded {
			return false, problem
		}
	}
	out := evaluate(c.program, vars, false)
	return out.value, join(out.problem, evidence(c.refs, vars))
}

func (c Check) variables(r Response) (map[string]any, error) {
	var body any
	if json.Unmarshal(r.Body, &body) != nil {
		body = string(r.Body)
	}
	body, err := toFloats(body, 0)
	if err != nil {
		return nil, err
	}
	headers := make(map[string]any, len(r.Headers))
	for k, v := range r.Headers {
		headers[k] = v
	}
	return map[string]any{
		"status": float64(r.Status), "body": body, "headers": headers,
		"release": r.Release, "model_version": r.ModelVersion,
	}, nil
}
