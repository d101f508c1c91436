// Package job prepares the user's commands (templates, environment), and runs
// heavy ones as jobs under a deterministic name, so that they survive the process
// that submitted them.
package job

import (
	"bytes"
	"regexp"
	"strings"
	"text/template"

	"github.com/slipway-cd/slipway/internal/fault"
)

// Vars are the fields that a command's template may use, by name: "Output" for
// {{.Output}}. They are inserted verbatim; Quote what a shell must not interpret.
type Vars map[string]string

// Render expands the template of a command. An unknown field or broken syntax is
// fault.Invalid, with a hint that lists the fields.
func Render(run string, vars Vars) (string, error) {
	hint := "available fields: " + vars.names() + `; write {{"{{"}} for literal braces`
	t, err := template.New("run").Option("missingkey=error").Parse(run)
	if err != nil {
		return "", fault.New(fault.Invalid, "parse the command %q", run).Hint("%s", hint).Cause(err)
	}
	var out bytes.Buffer
	if err := t.Execute(&out, map[string]string(vars)); err != nil {
		return "", fault.New(fault.Invalid, "expand the command %q", run).Hint("%s", hint).Cause(err)
	}
	return out.String(), nil
}

func (v Vars) names() string {
	var names []string
	for name := range v {
		names = append(names, "{{."+name+"}}")
	}
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(sorted(names), ", ")
}

var shellSafe = regexp.MustCompile(`^[A-Za-z0-9_@%+=:,./-]+$`)

// Quote returns s as one word of a POSIX shell, whatever it contains.
func Quote(s string) string {
	if shellSafe.MatchString(s) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// QuoteAll quotes each word and joins them with spaces.
func QuoteAll(words []string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = Quote(w)
	}
	return strings.Join(quoted, " ")
}
