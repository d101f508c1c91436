package scaffold

import (
	"regexp"
	"strconv"
	"strings"
)

var (
	classPattern  = regexp.MustCompile(`(?m)^class\s+(\w+)\(([^)]*)\):[^\n]*\n((?:[ \t]+[^\n]*\n|[ \t]*\n)*)`)
	fieldPattern  = regexp.MustCompile(`(?m)^[ \t]+(\w+)\s*:\s*([^=\n#]+?)\s*(?:=\s*([^\n]*))?$`)
	exampleOption = regexp.MustCompile(`examples?\s*=\s*\[?\s*("[^"]*"|'[^']*'|-?[0-9.]+|True|False)`)
	lowerBound    = regexp.MustCompile(`\b(gt|ge)\s*=\s*(-?[0-9.]+)`)
	upperBound    = regexp.MustCompile(`\b(?:lt|le)\s*=\s*(-?[0-9.]+)`)
	literalType   = regexp.MustCompile(`Literal\[\s*("[^"]*"|'[^']*'|[0-9]+)`)
	elementType   = regexp.MustCompile(`^(?:List|list|Sequence|conlist|Tuple|tuple|Set|set)\[(.*)\]$`)
	enumValue     = regexp.MustCompile(`(?m)^[ \t]+\w+\s*=\s*("[^"]*"|'[^']*'|[0-9]+)`)
	exampleNumber = regexp.MustCompile(`^-?[0-9]+(\.[0-9]+)?$`)
)

// class is a class of Python: its bases and its body.
type class struct{ bases, body string }

const (
	maxExampleDepth  = 3
	maxExampleFields = 40
)

// findClasses collects the classes of all scripts.
func (s *repoInfo) findClasses() {
	s.classes = map[string]class{}
	for _, file := range sortedKeys(s.scripts) {
		for _, m := range classPattern.FindAllStringSubmatch(string(s.scripts[file])+"\n", -1) {
			if _, known := s.classes[m[1]]; !known {
				s.classes[m[1]] = class{m[2], m[3]}
			}
		}
	}
}

// exampleOf returns an example of a pydantic model's JSON, in YAML's short form; "" if
// the model is not known.
func (s *repoInfo) exampleOf(name string, depth int) string {
	c, ok := s.classes[name]
	if !ok || depth > maxExampleDepth {
		return ""
	}
	if strings.Contains(c.bases, "Enum") {
		if m := enumValue.FindStringSubmatch(c.body); m != nil {
			return scalar(m[1])
		}
		return ""
	}
	var parts []string
	for _, base := range strings.Split(c.bases, ",") {
		if inherited := s.exampleOf(strings.TrimSpace(base), depth+1); strings.HasPrefix(inherited, "{") && inherited != "{}" {
			parts = append(parts, strings.Trim(inherited, "{}"))
		}
	}
	for i, f := range fieldPattern.FindAllStringSubmatch(c.body, -1) {
		name, kind, value := f[1], strings.TrimSpace(f[2]), f[3]
		optional := strings.HasPrefix(kind, "Optional[") || strings.Contains(kind, "| None") || strings.Contains(kind, "None |")
		if i >= maxExampleFields || name == "model_config" || optional || strings.HasPrefix(kind, "ClassVar") {
			continue
		}
		parts = append(parts, yamlString(name)+": "+s.exampleValue(kind, value, depth))
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

// exampleValue returns a value that a field accepts: its own example, its default, or
// one of its type.
func (s *repoInfo) exampleValue(kind, value string, depth int) string {
	if m := exampleOption.FindStringSubmatch(value); m != nil {
		return scalar(m[1])
	}
	if m := literalType.FindStringSubmatch(kind); m != nil {
		return scalar(m[1])
	}
	if value != "" && !strings.HasPrefix(value, "Field(") && (value == "True" || value == "False" || exampleNumber.MatchString(value) || strings.ContainsAny(value[:1], `"'`)) {
		return scalar(value)
	}
	if m := elementType.FindStringSubmatch(kind); m != nil {
		element, _, _ := strings.Cut(m[1], ",")
		return "[" + s.exampleValue(strings.TrimSpace(element), "", depth) + "]"
	}
	switch kind {
	case "int", "conint", "PositiveInt", "NonNegativeInt":
		return strconv.Itoa(int(exampleInRange(value)))
	case "float", "confloat", "PositiveFloat", "Decimal":
		return strconv.FormatFloat(exampleInRange(value), 'f', 1, 64)
	case "bool":
		return "true"
	case "str":
		return "text"
	}
	if nested := s.exampleOf(kind, depth+1); nested != "" {
		return nested
	}
	return "{}"
}

// exampleInRange returns a number that the constraints of a field allow.
func exampleInRange(constraints string) float64 {
	n := 1.0
	if m := lowerBound.FindStringSubmatch(constraints); m != nil {
		low, _ := strconv.ParseFloat(m[2], 64)
		if n = max(n, low); m[1] == "gt" && n <= low {
			n = low + 1
		}
	}
	if m := upperBound.FindStringSubmatch(constraints); m != nil {
		if high, _ := strconv.ParseFloat(m[1], 64); n > high {
			n = high
		}
	}
	return n
}

// scalar writes a literal of Python as YAML.
func scalar(literal string) string {
	literal = strings.TrimSpace(literal)
	switch {
	case literal == "True" || literal == "False":
		return strings.ToLower(literal)
	case exampleNumber.MatchString(literal):
		return literal
	}
	return yamlString(strings.Trim(literal, `"'`))
}
