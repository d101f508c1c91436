package terraform

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/slipway-cd/slipway/internal/account/export"
)

// block is a block of HCL.
type block struct {
	kind    string
	labels  []string
	body    []item
	comment string // before it; empty: none
}

// item is an argument or, without a key, a block.
type item struct {
	key   string
	value any
	block block
}

// expression is written as it is: "aws_s3_bucket.models.arn".
type expression string

// template is an expression, and a text after it.
type template struct {
	of   expression
	rest string
}

// call is a function with one argument.
type call struct {
	function string
	argument any
}

func arg(key string, value any) item { return item{key: key, value: value} }

func nested(kind string, body ...item) item { return item{block: block{kind: kind, body: body}} }

// file is the text of blocks, formatted as `tofu fmt` does.
func file(header string, blocks []block) string {
	var b strings.Builder
	b.WriteString(header)
	for _, bl := range blocks {
		b.WriteString("\n")
		writeBlock(&b, bl, "")
	}
	return b.String()
}

func writeBlock(b *strings.Builder, bl block, indent string) {
	if bl.comment != "" {
		fmt.Fprintf(b, "%s# %s\n", indent, bl.comment)
	}
	b.WriteString(indent + bl.kind)
	for _, l := range bl.labels {
		b.WriteString(" " + quote(l))
	}
	if len(bl.body) == 0 {
		b.WriteString(" {}\n")
		return
	}
	b.WriteString(" {\n")
	writeBody(b, bl.body, indent+"  ")
	b.WriteString(indent + "}\n")
}

// writeBody has an empty line before what is longer than a line, so that the lines
// between are one group with its equals signs below each other.
func writeBody(b *strings.Builder, body []item, indent string) {
	for i := 0; i < len(body); {
		n := i
		for n < len(body) && isLine(body[n]) {
			n++
		}
		if n == i {
			if i > 0 {
				b.WriteString("\n")
			}
			writeItem(b, body[i], indent, 0)
			i++
			continue
		}
		if i > 0 {
			b.WriteString("\n")
		}
		width := 0
		for _, it := range body[i:n] {
			width = max(width, len(it.key))
		}
		for _, it := range body[i:n] {
			writeItem(b, it, indent, width)
		}
		i = n
	}
}

func isLine(it item) bool { return it.key != "" && !strings.Contains(value(it.value, ""), "\n") }

func writeItem(b *strings.Builder, it item, indent string, width int) {
	if it.key == "" {
		writeBlock(b, it.block, indent)
		return
	}
	fmt.Fprintf(b, "%s%-*s = %s\n", indent, width, it.key, value(it.value, indent))
}

var identifierPattern = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

func value(v any, indent string) string {
	switch v := v.(type) {
	case string:
		return quote(v)
	case int:
		return strconv.Itoa(v)
	case bool:
		return strconv.FormatBool(v)
	case expression:
		return string(v)
	case template:
		return `"${` + string(v.of) + `}` + strings.TrimPrefix(quote(v.rest), `"`)
	case call:
		return v.function + "(" + value(v.argument, indent) + ")"
	case export.Object:
		return object(v, indent)
	case []any:
		return list(v, indent)
	}
	panic(fmt.Sprintf("terraform: no form for %T", v))
}

func object(o export.Object, indent string) string {
	if len(o) == 0 {
		return "{}"
	}
	keys, values := make([]string, len(o)), make([]string, len(o))
	for i, f := range o {
		if keys[i] = f.Key; !identifierPattern.MatchString(f.Key) {
			keys[i] = quote(f.Key)
		}
		values[i] = value(f.Value, indent+"  ")
	}
	var b strings.Builder
	b.WriteString("{\n")
	for i := range o {
		fmt.Fprintf(&b, "%s  %-*s = %s\n", indent, groupWidth(keys, values, i), keys[i], values[i])
	}
	b.WriteString(indent + "}")
	return b.String()
}

// groupWidth is the width of the keys around i whose values are on one line, as is that
// of i; others stand alone.
func groupWidth(keys, values []string, i int) int {
	isLong := func(n int) bool { return strings.Contains(values[n], "\n") }
	width := len(keys[i])
	if isLong(i) {
		return width
	}
	for n := i - 1; n >= 0 && !isLong(n); n-- {
		width = max(width, len(keys[n]))
	}
	for n := i + 1; n < len(keys) && !isLong(n); n++ {
		width = max(width, len(keys[n]))
	}
	return width
}

// list is on one line if what is in it is short.
func list(all []any, indent string) string {
	parts, length, long := make([]string, len(all)), 0, false
	for i, v := range all {
		parts[i] = value(v, indent+"  ")
		length += len(parts[i])
		long = long || strings.Contains(parts[i], "\n")
	}
	if !long && length < 60 {
		return "[" + strings.Join(parts, ", ") + "]"
	}
	return "[\n" + indent + "  " + strings.Join(parts, ",\n"+indent+"  ") + ",\n" + indent + "]"
}

// quote is a string of HCL without templates.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i, c := range s {
		switch {
		case c == '"' || c == '\\':
			b.WriteString(`\` + string(c))
		case c == '\n':
			b.WriteString(`\n`)
		case (c == '$' || c == '%') && strings.HasPrefix(s[i+1:], "{"):
			b.WriteString(string(c) + string(c))
		case c < ' ' || c == 0x7f:
			fmt.Fprintf(&b, `\u%04x`, c)
		default:
			b.WriteRune(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}
