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

// failInside notes a mistake at a place within a text; line and column count
// from 1 in the text. Where the text is not written as it is (escapes, blocks),
// the mistake is at its beginning and says where in it.
func (d *decoder) failInside(path string, line, column int, hint, format string, args ...any) {
	at := d.find(path)
	what := fmt.Sprintf(format, args...)
	switch {
	case at.raw && line == 1:
		at.column += column - 1
	case line == 1:
		what += fmt.Sprintf(" (character %d of it)", column)
	default:
		what += fmt.Sprintf(" (line %d, character %d of it)", line, column)
	}
	d.failAt(at, hint, "%s", what)
}

func (d *decoder) gates(path string, all []string) {
	for i, expr := range all {
		_, err := gate.Compile(expr)
		d.expression(fmt.Sprintf("%s[%d]", path, i), err, "such as accuracy >= 0.8")
	}
}

func (d *decoder) checks(path string, all []string) {
	for i, expr := range all {
		_, err := gate.CompileCheck(expr)
		d.expression(fmt.Sprintf("%s[%d]", path, i), err, "such as body.class in ['LA', 'MM']")
	}
}

func (d *decoder) expression(path string, err error, hint string) {
	var e *gate.Error
	switch {
	case errors.As(err, &e):
		d.failInside(path, e.Line, e.Column, hint, "%s: %s", path, e.Message)
	case err != nil:
		d.fail(path, hint, "%s: %v", path, err)
	}
}

var (
	templateForm = regexp.MustCompile(`\{\{(.*?)\}\}`)
	templateName = regexp.MustCompile(`^\s*\.([A-Za-z]+)\s*$`)
)

// command checks the template of a shell command and tells which fields it uses.
func (d *decoder) command(path, text string, known []string) map[string]bool {
	used := map[string]bool{}
	if strings.TrimSpace(text) == "" {
		d.fail(path, "a shell command", "%s is empty", path)
		return used
	}
	if strings.ContainsRune(text, 0) {
		d.fail(path, "", "%s holds a zero byte", path)
	}
	for _, m := range templateForm.FindAllStringSubmatchIndex(text, -1) {
		whole, inner := text[m[0]:m[1]], text[m[2]:m[3]]
		line, column := position(text, m[0])
		name := templateName.FindStringSubmatch(inner)
		switch {
		case strings.TrimSpace(inner) == `"{{"`: // plain braces for the shell
		case name == nil:
			d.failInside(path, line, column, choosable(known), "%s: %s is not a field", path, whole)
		case !slices.Contains(known, name[1]):
			hint := choosable(known)
			if near, ok := fault.Nearest(name[1], known); ok {
				hint = fmt.Sprintf("did you mean {{.%s}}?", near)
			}
			d.failInside(path, line, column, hint, "%s: there is no {{.%s}} here", path, name[1])
		default:
			used[name[1]] = true
		}
	}
	rest := templateForm.ReplaceAllString(text, "")
	if i := strings.Index(rest, "{{"); i >= 0 {
		d.fail(path, "close it with }}", "%s: {{ is not closed", path)
	}
	return used
}

// position counts lines and characters up to a byte.
func position(text string, at int) (line, column int) {
	before := text[:at]
	line = 1 + strings.Count(before, "\n")
	if i := strings.LastIndexByte(before, '\n'); i >= 0 {
		before = before[i+1:]
	}
	return line, 1 + utf8.RuneCountInString(before)
}
