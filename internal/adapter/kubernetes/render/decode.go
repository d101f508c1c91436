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

// decode reads the objects of a file; name is what places begin with. Lists are
// taken apart. Mistakes have their line. They never show what stands there: it
// may be a Secret's value.
func decode(name string, data []byte) ([]object, error) {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	if !utf8.Valid(data) || bytes.IndexByte(data, 0) >= 0 {
		return nil, fault.New(fault.Invalid, "the file is not UTF-8 text").Location(name).Hint("manifests are YAML or JSON in UTF-8")
	}
	if strings.HasSuffix(name, ".json") {
		return decodeJSON(name, data)
	}
	var out []object
	for _, d := range documents(string(data)) {
		found, err := d.objects(name)
		if err != nil {
			return nil, err
		}
		out = append(out, found...)
	}
	return out, nil
}

// document is one YAML document of a file; line is where it begins, from 1.
type document struct {
	text string
	line int
}

// documents cuts a file at its markers, the way a YAML parser does.
func documents(text string) []document {
	text = strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\r", "\n")
	lines := strings.Split(text, "\n")
	var out []document
	begin := 0
	for i, l := range lines {
		starts, ends := marker(l, "---"), marker(l, "...")
		if starts || ends {
			out = append(out, document{strings.Join(lines[begin:i], "\n"), begin + 1})
			begin = i
			lines[i] = "   " + l[3:] // an object may begin behind the marker
		}
	}
	return append(out, document{strings.Join(lines[begin:], "\n"), begin + 1})
}

func marker(line, mark string) bool {
	rest, ok := strings.CutPrefix(line, mark)
	return ok && (rest == "" || rest[0] == ' ' || rest[0] == '\t')
}

// otherBreak is a document's begin after a line break that only old YAML knows:
// the parser would read up to there and stop.
var otherBreak = regexp.MustCompile(`[\x{85}\x{2028}\x{2029}](---|\.\.\.)`)

func (d document) objects(name string) ([]object, error) {
	first, empty := d.first()
	if empty {
		return nil, nil
	}
	place := fmt.Sprintf("%s:%d", name, first)
	if otherBreak.MatchString(d.text) {
		return nil, fault.New(fault.Invalid, "a document begins after an unusual line break").Location(place).Hint("save the file with ordinary line ends")
	}
	text, err := yaml.YAMLToJSONStrict([]byte(d.text))
	if err != nil {
		return nil, d.fault(name, err)
	}
	return value(place, text)
}

// first is the line of the document's first content. Directives before it say
// nothing that matters here.
func (d *document) first() (int, bool) {
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

var yamlLine = regexp.MustCompile(`line (\d+): `)

func (d document) fault(name string, err error) error {
	message, line := err.Error(), d.line
	if at := yamlLine.FindStringSubmatchIndex(message); at != nil {
		n, _ := strconv.Atoi(message[at[2]:at[3]])
		line, message = max(d.line, d.line+n-1), message[at[1]:]
	}
	return fault.New(fault.Invalid, "the YAML can't be read").Location(fmt.Sprintf("%s:%d", name, line)).
		Cause(errors.New(sayable(message))).Hint("check the indentation and the quotes around this line")
}

// sayable takes out of a parser's message what it quotes of the file.
func sayable(message string) string {
	message, _, _ = strings.Cut(message, "\n")
	message = strings.TrimPrefix(strings.TrimPrefix(message, "error converting YAML to JSON: "), "yaml: ")
	for mark, say := range map[string]string{
		"`":                   "a value does not fit its tag",
		"unknown anchor":      "an alias (*name) has no anchor (&name)",
		"unsupported map key": "a key is neither text nor a number",
		"unsupported value":   "a number is not finite",
	} {
		if strings.Contains(message, mark) {
			return say
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
			return nil, fault.New(fault.Invalid, "the JSON can't be read").Location(position(name, data, offset(err, len(data)))).
				Cause(errors.New(jsonReason(err))).Hint("check the commas, quotes and brackets before this place")
		}
		begin := dec.InputOffset() - int64(len(raw))
		found, err := value(position(name, data, begin), raw)
		if err != nil {
			return nil, err
		}
		out = append(out, found...)
	}
}

func offset(err error, end int) int64 {
	var at *json.SyntaxError
	if errors.As(err, &at) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return max(0, at.Offset-1)
	}
	return int64(end)
}

func jsonReason(err error) string {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return "it ends in the middle"
	}
	return err.Error()
}

// position is "name:line:column" of a byte, both from 1.
func position(name string, data []byte, at int64) string {
	before := data[:min(int(at), len(data))]
	line := bytes.Count(before, []byte("\n")) + 1
	column := len(before) - bytes.LastIndexByte(before, '\n')
	return fmt.Sprintf("%s:%d:%d", name, line, column)
}

// value makes objects of a JSON text; null is none.
func value(place string, text []byte) ([]object, error) {
	var v any
	twice, err := kjson.UnmarshalStrict(text, &v)
	switch {
	case err != nil:
		return nil, fault.New(fault.Invalid, "the document can't be read").Location(place).Cause(errors.New("a number or text in it is not valid"))
	case len(twice) > 0:
		return nil, fault.New(fault.Invalid, "the document has a key twice").Location(place).Cause(twice[0]).Hint("remove one of the two")
	case v == nil:
		return nil, nil
	}
	body, ok := v.(map[string]any)
	if !ok {
		return nil, fault.New(fault.Invalid, "the document is not an object").Location(place).Hint("it needs apiVersion, kind and metadata.name")
	}
	return flat(object{body, place}, 0)
}

// flat takes a List apart. Lists of one kind may leave the kind of their items out.
func flat(o object, depth int) ([]object, error) {
	kind := o.text("kind")
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
			return nil, fault.New(fault.Invalid, "item %d of the %s is not an object", i+1, kind).Location(o.place)
		}
		if one := strings.TrimSuffix(kind, "List"); one != "" && body["kind"] == nil {
			body["kind"], body["apiVersion"] = one, o.body["apiVersion"]
		}
		found, err := flat(object{body, fmt.Sprintf("%s (item %d)", o.place, i+1)}, depth+1)
		if err != nil {
			return nil, err
		}
		out = append(out, found...)
	}
	return out, nil
}
