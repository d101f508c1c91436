package export

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// YAML writes a value as a document of YAML 1.1.
func YAML(v any) string {
	var b strings.Builder
	writeYAML(&b, v, "")
	return b.String()
}

func writeYAML(b *strings.Builder, v any, indent string) {
	switch v := v.(type) {
	case Object:
		for _, f := range v {
			b.WriteString(indent + scalar(f.Key) + ":")
			writeMember(b, f.Value, indent+"  ")
		}
	case []any:
		for _, e := range v {
			b.WriteString(indent + "-")
			if o, ok := e.(Object); ok && len(o) > 0 { // its first key is on the dash's line
				var inner strings.Builder
				writeYAML(&inner, o, indent+"  ")
				b.WriteString(" " + strings.TrimPrefix(inner.String(), indent+"  "))
				continue
			}
			writeMember(b, e, indent+"  ")
		}
	default:
		b.WriteString(scalar(v) + "\n")
	}
}

// writeMember writes what comes after a colon or a dash.
func writeMember(b *strings.Builder, v any, indent string) {
	switch o := v.(type) {
	case Object:
		if len(o) == 0 {
			b.WriteString(" {}\n")
			return
		}
	case []any:
		if len(o) == 0 {
			b.WriteString(" []\n")
			return
		}
		if line, ok := flow(o); ok {
			b.WriteString(" " + line + "\n")
			return
		}
	default:
		b.WriteString(" " + scalar(v) + "\n")
		return
	}
	b.WriteString("\n")
	writeYAML(b, v, indent)
}

// flow is a short list of scalars on one line.
func flow(all []any) (string, bool) {
	parts := make([]string, len(all))
	for i, v := range all {
		switch v.(type) {
		case Object, []any:
			return "", false
		}
		parts[i] = scalar(v)
	}
	line := "[" + strings.Join(parts, ", ") + "]"
	return line, len(line) <= 60
}

// plainPattern is what needs no quotes: it can't be read as another type, but for words.
var plainPattern = regexp.MustCompile(`^[A-Za-z/][A-Za-z0-9/_.-]*(:{1,2}[A-Za-z0-9/_.-]+)*( [A-Za-z0-9/_.-]+)*$`)

func scalar(v any) string {
	switch v := v.(type) {
	case int:
		return strconv.Itoa(v)
	case bool:
		return strconv.FormatBool(v)
	case string:
		switch strings.ToLower(v) {
		case "true", "false", "yes", "no", "on", "off", "null", "y", "n":
			return strconv.Quote(v)
		}
		if plainPattern.MatchString(v) {
			return v
		}
		quoted, _ := json.Marshal(v) // of a string there is no error
		return string(quoted)
	}
	return fmt.Sprint(v)
}
