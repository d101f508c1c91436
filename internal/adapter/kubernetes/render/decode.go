package render

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	kjson "sigs.k8s.io/json"
	"sigs.k8s.io/yaml"

	"github.com/slipway-cd/slipway/internal/fault"
)

// decode reads the objects of a file; name is the prefix of error positions. Lists
// are flattened. Errors have a line number and never quote the content, which may be
// a Secret's value.
func decode(name string, data []byte) ([]object, error) {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	if !utf8.Valid(data) || bytes.IndexByte(data, 0) >= 0 {
		return nil, fault.New(fault.Invalid, "the file is not UTF-8 text").Location(name).Hint("manifests are YAML or JSON in UTF-8")
	}
	if strings.HasSuffix(name, ".json") {
		return decodeJSON(name, data)
	}
	var out []object
	for _, d := range splitDocuments(string(data)) {
		found, err := d.decode(name)
		if err != nil {
			return nil, err
		}
		out = append(out, found...)
	}
	return out, nil
}

// document is one YAML document of a file; line is the number of its first line, from
// 1.
type document struct {
	text string
	line int
}

// splitDocuments splits a file at its document markers, as a YAML parser does.
func splitDocuments(text string) []document {
	text = strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\r", "\n")
	lines := strings.Split(text, "\n")
	var out []document
	start := 0
	for i, l := range lines {
		isStart, isEnd := isMarker(l, "---"), isMarker(l, "...")
		if isStart || isEnd {
			out = append(out, document{strings.Join(lines[start:i], "\n"), start + 1})
			start = i
			lines[i] = "   " + l[3:] // an object may start on the marker's line
		}
	}
	return append(out, document{strings.Join(lines[start:], "\n"), start + 1})
}

func isMarker(line, marker string) bool {
	rest, ok := strings.CutPrefix(line, marker)
	return ok && (rest == "" || rest[0] == ' ' || rest[0] == '\t')
}

// unusualBreakPattern matches a document marker after a line break that only YAML 1.1
// knows: the parser would stop reading there.
var unusualBreakPattern = regexp.MustCompile(`[\x{85}\x{2028}\x{2029}](---|\.\.\.)`)

func (d document) decode(name string) ([]object, error) {
	first, empty := d.firstContentLine()
	if empty {
		return nil, nil
	}
	location := fmt.Sprintf("%s:%d", name, first)
	if unusualBreakPattern.MatchString(d.text) {
		return nil, fault.New(fault.Invalid, "a document starts after an unusual line break").Location(location).Hint("save the file with LF line endings")
	}
	text, err := yaml.YAMLToJSONStrict([]byte(d.text))
	if err != nil {
		return nil, d.syntaxError(name, err)
	}
	return objectsFromJSON(location, text)
}

// firstContentLine returns the line of the document's first content. Directives
// before it are dropped.
func (d *document) firstContentLine() (int, bool) {
	lines := strings.Split(d.text, "\n")
	for i, l := range lines {
		switch l := strings.TrimSpace(l); {
		case l == "" || l[0] == '#':
		case strings.HasPrefix(lines[i], "%"):
			lines[i] = ""
		default:
			d.text = strings.Join(lines, "\n")
			return d.line + i, false
		}
	}
	return 0, true
}

var yamlLinePattern = regexp.MustCompile(`line (\d+): `)

func (d document) syntaxError(name string, err error) error {
	message, line := err.Error(), d.line
	if match := yamlLinePattern.FindStringSubmatchIndex(message); match != nil {
		offset, _ := strconv.Atoi(message[match[2]:match[3]])
		line, message = max(d.line, d.line+offset-1), message[match[1]:]
	}
	return fault.New(fault.Invalid, "the YAML can't be read").Location(fmt.Sprintf("%s:%d", name, line)).
		Cause(errors.New(redactParserMessage(message))).Hint("check the indentation and the quotes around this line")
}

// redactParserMessage removes what a parser's message quotes from the file.
func redactParserMessage(message string) string {
	message, _, _ = strings.Cut(message, "\n")
	message = strings.TrimPrefix(strings.TrimPrefix(message, "error converting YAML to JSON: "), "yaml: ")
	for substring, replacement := range map[string]string{
		"`":                   "a value does not match its tag",
		"unknown anchor":      "an alias (*name) has no anchor (&name)",
		"unsupported map key": "a key is neither a string nor a number",
		"unsupported value":   "a number is not finite",
	} {
		if strings.Contains(message, substring) {
			return replacement
		}
	}
	return message
}

func decodeJSON(name string, data []byte) ([]object, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	var out []object
	for {
		var raw json.RawMessage
		switch err := dec.Decode(&raw); {
		case errors.Is(err, io.EOF):
			return out, nil
		case err != nil:
			return nil, fault.New(fault.Invalid, "the JSON can't be read").Location(formatPosition(name, data, errorOffset(err, len(data)))).
				Cause(errors.New(jsonErrorMessage(err))).Hint("check the commas, quotes and brackets before this position")
		}
		start := dec.InputOffset() - int64(len(raw))
		found, err := objectsFromJSON(formatPosition(name, data, start), raw)
		if err != nil {
			return nil, err
		}
		out = append(out, found...)
	}
}

func errorOffset(err error, end int) int64 {
	var syntaxErr *json.SyntaxError
	if errors.As(err, &syntaxErr) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return max(0, syntaxErr.Offset-1)
	}
	return int64(end)
}

func jsonErrorMessage(err error) string {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return "unexpected end of file"
	}
	return err.Error()
}

// formatPosition returns "name:line:column" of a byte offset, both from 1.
func formatPosition(name string, data []byte, offset int64) string {
	before := data[:min(int(offset), len(data))]
	line := bytes.Count(before, []byte("\n")) + 1
	column := len(before) - bytes.LastIndexByte(before, '\n')
	return fmt.Sprintf("%s:%d:%d", name, line, column)
}

// objectsFromJSON decodes the objects of a JSON text. null yields none.
func objectsFromJSON(location string, text []byte) ([]object, error) {
	var v any
	duplicates, err := kjson.UnmarshalStrict(text, &v)
	switch {
	case err != nil:
		return nil, fault.New(fault.Invalid, "the document can't be read").Location(location).Cause(errors.New("it contains an invalid number or string"))
	case len(duplicates) > 0:
		return nil, fault.New(fault.Invalid, "the document has a duplicate key").Location(location).Cause(duplicates[0]).Hint("remove one of them")
	case v == nil:
		return nil, nil
	}
	body, ok := v.(map[string]any)
	if !ok {
		return nil, fault.New(fault.Invalid, "the document is not an object").Location(location).Hint("it needs apiVersion, kind and metadata.name")
	}
	return flattenList(object{body, location}, 0)
}

// flattenList returns the items of a List. Items of a typed list may omit their kind.
func flattenList(o object, depth int) ([]object, error) {
	kind := o.stringField("kind")
	items, ok := o.body["items"].([]any)
	if kind == "List" && o.body["items"] == nil {
		return nil, nil
	}
	if !ok || !strings.HasSuffix(kind, "List") {
		return []object{o}, nil
	}
	var out []object
	for i, item := range items {
		body, ok := item.(map[string]any)
		if !ok || depth > 5 {
			return nil, fault.New(fault.Invalid, "item %d of the %s is not an object", i+1, kind).Location(o.location)
		}
		if itemKind := strings.TrimSuffix(kind, "List"); itemKind != "" && body["kind"] == nil {
			body["kind"], body["apiVersion"] = itemKind, o.body["apiVersion"]
		}
		found, err := flattenList(object{body, fmt.Sprintf("%s (item %d)", o.location, i+1)}, depth+1)
		if err != nil {
			return nil, err
		}
		out = append(out, found...)
	}
	return out, nil
}
