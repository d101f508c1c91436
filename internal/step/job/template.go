// Package job prepares the user's commands (templates, environment) and runs
// heavy ones under a deterministic name, so that they survive their submitter.
package job

import (
	"bytes"
	"regexp"
	"strings"
	"text/template"

	"github.com/slipway-cd/slipway/internal/fault"
)

// Vars are the values a command's template may use, by name: "Output" for
// {{.Output}}. They are put in as they are; Quote what a shell must not read.
type Vars map[string]string

// Render fills the templates of a command. An unknown name or broken syntax is
// fault.Invalid and says which names there are.
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

// Quote makes s one word of a POSIX shell, whatever is in it.
func Quote(s string) string {
	if shellSafe.MatchString(s) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// QuoteAll quotes each and joins them with spaces.
func QuoteAll(words []string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = Quote(w)
	}
	return strings.Join(quoted, " ")
}
