package model

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// Validate returns what is wrong with v, a value as of JSON with json.Number, as the
// shape of that name; path says where it is, for the messages. Timestamps and blobs
// may be anything: they differ by protocol, and the SDK writes them.
func (s *Service) Validate(path, name string, v any) []string {
	shape, ok := s.Shapes[name]
	if !ok {
		return []string{fmt.Sprintf("%s: the model has no shape %s", path, name)}
	}
	switch shape.Type {
	case "structure":
		return s.structure(path, shape, v)
	case "list":
		return s.list(path, shape, v)
	case "map":
		return s.mapping(path, shape, v)
	case "string":
		return text(path, shape, v)
	case "integer", "long", "float", "double":
		return number(path, shape, v)
	case "boolean":
		if _, ok := v.(bool); !ok {
			return []string{path + ": not a boolean"}
		}
	}
	return nil
}

func (s *Service) structure(path string, shape Shape, v any) (wrong []string) {
	members, ok := v.(map[string]any)
	if !ok {
		return []string{path + ": not a structure"}
	}
	for _, name := range shape.Required {
		if _, ok := members[name]; !ok {
			wrong = append(wrong, fmt.Sprintf("%s: %s is required", path, name))
		}
	}
	for name, member := range members {
		ref, ok := shape.Members[name]
		if !ok {
			wrong = append(wrong, fmt.Sprintf("%s: unknown member %s", path, name))
			continue
		}
		wrong = append(wrong, s.Validate(path+"."+name, ref.Shape, member)...)
	}
	if shape.Union && len(members) != 1 {
		wrong = append(wrong, fmt.Sprintf("%s: a union has exactly one member, not %d", path, len(members)))
	}
	return wrong
}

func (s *Service) list(path string, shape Shape, v any) []string {
	list, ok := v.([]any)
	if !ok {
		return []string{path + ": not a list"}
	}
	wrong := size(path, shape, float64(len(list)))
	for i, member := range list {
		wrong = append(wrong, s.Validate(fmt.Sprintf("%s[%d]", path, i), shape.Member.Shape, member)...)
	}
	return wrong
}

func (s *Service) mapping(path string, shape Shape, v any) []string {
	entries, ok := v.(map[string]any)
	if !ok {
		return []string{path + ": not a map"}
	}
	wrong := size(path, shape, float64(len(entries)))
	for key, value := range entries {
		at := path + "[" + key + "]"
		wrong = append(wrong, s.Validate(at, shape.Key.Shape, key)...)
		wrong = append(wrong, s.Validate(at, shape.Value.Shape, value)...)
	}
	return wrong
}

func text(path string, shape Shape, v any) []string {
	t, ok := v.(string)
	if !ok {
		return []string{path + ": not a string"}
	}
	wrong := size(path, shape, float64(utf8.RuneCountInString(t)))
	if shape.Enum != nil && !slices.Contains(shape.Enum, t) {
		wrong = append(wrong, fmt.Sprintf("%s: %q is not one of %s", path, t, strings.Join(shape.Enum, ", ")))
	}
	if shape.Pattern != "" {
		if re, err := pattern(shape.Pattern); err == nil && !re.MatchString(t) {
			wrong = append(wrong, fmt.Sprintf("%s: %q does not match %s", path, t, shape.Pattern))
		}
	}
	return wrong
}

func number(path string, shape Shape, v any) []string {
	n, ok := v.(json.Number)
	if !ok {
		return []string{path + ": not a number"}
	}
	f, err := n.Float64()
	if err != nil {
		return []string{fmt.Sprintf("%s: %s is not a number", path, n)}
	}
	return size(path, shape, f)
}

func size(path string, shape Shape, n float64) []string {
	switch {
	case shape.Min != nil && n < *shape.Min:
		return []string{fmt.Sprintf("%s: %v is less than %v", path, n, *shape.Min)}
	case shape.Max != nil && n > *shape.Max:
		return []string{fmt.Sprintf("%s: %v is more than %v", path, n, *shape.Max)}
	}
	return nil
}

// pattern compiles a Java pattern. Look-arounds and bounds above 1000 are beyond Go's
// regexp: of the latter only the length is lost, which Min and Max say too.
func pattern(java string) (*regexp.Regexp, error) {
	unbounded := regexp.MustCompile(`\{(\d+),(\d{4,})\}`).ReplaceAllStringFunc(java, func(bounds string) string {
		if strings.HasPrefix(bounds, "{0,") {
			return "*"
		}
		return "+"
	})
	unicode := regexp.MustCompile(`\\u([0-9a-fA-F]{4})`).ReplaceAllString(unbounded, `\x{$1}`)
	classes := strings.NewReplacer(`\p{Alnum}`, `[:alnum:]`, `\p{Print}`, `[:print:]`, `\p{ASCII}`, `\x{0}-\x{7f}`).Replace(unicode)
	return regexp.Compile("^(?:" + classes + ")$")
}
