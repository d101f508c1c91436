package config

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/gate"
)

// addErrorWithin reports a mistake at a position within a text; line and column
// count from 1 in the text. If the text is not in the file verbatim (escapes,
// blocks), the mistake is reported at its beginning, and the message adds the
// position in it.
func (d *decoder) addErrorWithin(path string, line, column int, hint, format string, args ...any) {
	at := d.positionOf(path)
	what := fmt.Sprintf(format, args...)
	switch {
	case at.raw && line == 1:
		at.column += column - 1
	case line == 1:
		what += fmt.Sprintf(" (character %d)", column)
	default:
		what += fmt.Sprintf(" (line %d, character %d)", line, column)
	}
	d.addErrorAt(at, hint, "%s", what)
}

func (d *decoder) validateGates(path string, all []string) {
	for i, expr := range all {
		_, err := gate.Compile(expr)
		d.addExpressionError(fmt.Sprintf("%s[%d]", path, i), err, "such as accuracy >= 0.8")
	}
}

func (d *decoder) validateChecks(path string, all []string) {
	for i, expr := range all {
		_, err := gate.CompileCheck(expr)
		d.addExpressionError(fmt.Sprintf("%s[%d]", path, i), err, "such as body.class in ['LA', 'MM']")
	}
}

func (d *decoder) addExpressionError(path string, err error, hint string) {
	var e *gate.Error
	switch {
	case errors.As(err, &e):
		d.addErrorWithin(path, e.Line, e.Column, hint, "%s: %s", path, e.Message)
	case err != nil:
		d.addError(path, hint, "%s: %v", path, err)
	}
}

var (
	templatePattern      = regexp.MustCompile(`\{\{(.*?)\}\}`)
	templateFieldPattern = regexp.MustCompile(`^\s*\.([A-Za-z]+)\s*$`)
)

// validateCommand checks the template of a shell command and returns the fields
// that it uses.
func (d *decoder) validateCommand(path, text string, known []string) map[string]bool {
	used := map[string]bool{}
	if strings.TrimSpace(text) == "" {
		d.addError(path, "write a shell command", "%s is empty", path)
		return used
	}
	if strings.ContainsRune(text, 0) {
		d.addError(path, "", "%s contains a NUL byte", path)
	}
	for _, m := range templatePattern.FindAllStringSubmatchIndex(text, -1) {
		whole, inner := text[m[0]:m[1]], text[m[2]:m[3]]
		line, column := lineAndColumn(text, m[0])
		name := templateFieldPattern.FindStringSubmatch(inner)
		switch {
		case strings.TrimSpace(inner) == `"{{"`: // plain braces for the shell
		case name == nil:
			d.addErrorWithin(path, line, column, fieldsHint(known), "%s: %s is not a field", path, whole)
		case !slices.Contains(known, name[1]):
			hint := fieldsHint(known)
			if near, ok := fault.Nearest(name[1], known); ok {
				hint = fmt.Sprintf("did you mean {{.%s}}?", near)
			}
			d.addErrorWithin(path, line, column, hint, "%s: unknown field {{.%s}}", path, name[1])
		default:
			used[name[1]] = true
		}
	}
	rest := templatePattern.ReplaceAllString(text, "")
	if i := strings.Index(rest, "{{"); i >= 0 {
		d.addError(path, "close it with }}", "%s: {{ is not closed", path)
	}
	return used
}

// lineAndColumn counts lines and characters up to a byte.
func lineAndColumn(text string, at int) (line, column int) {
	before := text[:at]
	line = 1 + strings.Count(before, "\n")
	if i := strings.LastIndexByte(before, '\n'); i >= 0 {
		before = before[i+1:]
	}
	return line, 1 + utf8.RuneCountInString(before)
}
