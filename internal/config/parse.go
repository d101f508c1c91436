package config

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"github.com/slipway-cd/slipway/internal/fault"
)

// Limits for the YAML parser, which is recursive, and whose time grows with the
// square of the number of entries.
const (
	maxNesting = 40
	maxEntries = 20_000
)

// ParseTree parses another YAML file with one document, such as a CI's, and returns it
// with the places of all values. name is what errors call it.
func ParseTree(name string, data []byte) (ast.Node, error) { return parseYAML(name, data) }

// parseYAML parses the YAML into its one mapping.
func parseYAML(name string, data []byte) (root ast.Node, err error) {
	invalid := func(line, column int, format string, args ...any) *fault.Error {
		return fault.New(fault.Invalid, format, args...).Location(fmt.Sprintf("%s:%d:%d", name, line, column))
	}
	if len(data) > MaxBytes {
		return nil, invalid(1, 1, "the file is larger than 1 MiB").Hint("keep data out of %s", FileName)
	}
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	if line, column, what := findHostile(data); what != "" {
		return nil, invalid(line, column, "%s", what)
	}
	defer func() {
		if r := recover(); r != nil { // the parser's own trouble with hostile text
			root, err = nil, invalid(1, 1, "the file is not YAML")
		}
	}()
	// The parser counts a carriage return as a column.
	file, err := parser.ParseBytes(bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n")), 0, parser.AllowDuplicateMapKey())
	if err != nil {
		var e yaml.Error
		if !asYAML(err, &e) || e.GetToken() == nil {
			return nil, invalid(1, 1, "the file is not YAML").Cause(err)
		}
		at := e.GetToken().Position
		fault := invalid(max(at.Line, 1), max(at.Column, 1), "%s", e.GetMessage())
		if strings.Contains(e.GetMessage(), "'\t'") {
			fault = invalid(at.Line, at.Column, "tabs cannot be used for indentation").Hint("use spaces")
		}
		return nil, fault
	}
	var bodies []ast.Node
	for _, doc := range file.Docs {
		if doc.Body != nil && doc.Body.Type() != ast.NullType && doc.Body.Type() != ast.CommentType {
			bodies = append(bodies, doc.Body)
		}
	}
	switch len(bodies) {
	case 0:
		return nil, invalid(1, 1, "the file is empty").Hint("run `slipway init` to generate one")
	case 1:
		return bodies[0], nil
	}
	at := bodies[1].GetToken().Position
	return nil, invalid(at.Line, at.Column, "a second document starts here").Hint("%s holds a single document", FileName)
}

func asYAML(err error, target *yaml.Error) bool {
	e, ok := err.(yaml.Error) //nolint:errorlint // the parser returns it bare
	if ok {
		*target = e
	}
	return ok
}

// findHostile finds what must not reach the parser.
func findHostile(data []byte) (line, column int, what string) {
	line, column = 1, 1
	depth, dashes, entries := 0, 0, 0
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		switch {
		case r == utf8.RuneError && size <= 1:
			return line, column, "the file is not UTF-8 text"
		case r < ' ' && r != '\n' && r != '\r' && r != '\t':
			return line, column, fmt.Sprintf("invalid control character (%U)", r)
		case r == '[' || r == '{':
			depth++
		case r == ']' || r == '}':
			depth = max(depth-1, 0)
		}
		switch r {
		case '-', '?':
			dashes++
		case ' ':
		case ':', ',', '\n':
			entries++
			dashes = 0
		default:
			dashes = 0
		}
		if entries > maxEntries {
			return line, column, "the file has too many entries"
		}
		if depth > maxNesting || dashes > 200 {
			return line, column, "the file is nested too deeply"
		}
		i, column = i+size, column+1
		if r == '\n' {
			line, column = line+1, 1
		}
	}
	return 0, 0, ""
}
