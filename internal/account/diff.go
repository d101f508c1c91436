package account

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Difference is a field that is not as it is to be.
type Difference struct {
	Path string `json:"path"` // "Trust.Statement[Deploy].Condition.StringEquals.aud"
	Have string `json:"have"` // empty: nothing is there
	Want string `json:"want"` // empty: nothing is to be there
}

// String returns the difference for people.
func (d Difference) String() string {
	switch {
	case d.Have == "":
		return fmt.Sprintf("%s: %s is missing", d.Path, d.Want)
	case d.Want == "":
		return fmt.Sprintf("%s: %s goes", d.Path, d.Have)
	}
	return fmt.Sprintf("%s: %s becomes %s", d.Path, d.Have, d.Want)
}

// Diff compares a wanted spec with one that was observed, field by field, by their JSON.
// Policies are the same if they say the same: a list of one and its value, the order of
// values, statements without a Sid in another order. The differences are sorted by path.
func Diff(want, have Spec) ([]Difference, error) {
	w, err := normal(want)
	if err != nil {
		return nil, fmt.Errorf("read what is wanted: %w", err)
	}
	h, err := normal(have)
	if err != nil {
		return nil, fmt.Errorf("read what is there: %w", err)
	}
	found := compare("", w, h)
	slices.SortFunc(found, func(a, b Difference) int { return strings.Compare(a.Path, b.Path) })
	return found, nil
}

// normal is the JSON of a spec as maps, lists of strings and values.
func normal(spec Spec) (any, error) {
	text, err := json.Marshal(spec)
	if err != nil {
		return nil, err
	}
	var v any
	if err := json.Unmarshal(text, &v); err != nil {
		return nil, err
	}
	return normalValue(v), nil
}

func normalValue(v any) any {
	m, ok := v.(map[string]any)
	if !ok {
		return v
	}
	if _, ok := m["Statement"]; ok {
		return normalDocument(m)
	}
	out := map[string]any{}
	for key, value := range m {
		if value = normalValue(value); value != nil {
			out[key] = value
		}
	}
	return out
}

// compare returns the differences at path and below.
func compare(path string, want, have any) []Difference {
	w, isMap := want.(map[string]any)
	h, isMapToo := have.(map[string]any)
	if isMap && (isMapToo || have == nil) || isMapToo && want == nil {
		return compareMaps(path, w, h)
	}
	a, isList := stringList(want)
	b, isListToo := stringList(have)
	if isList && isListToo {
		want, have = without(a, b), without(b, a)
	}
	one, other := text(path, want), text(path, have)
	if one == other {
		return nil
	}
	return []Difference{{Path: path, Have: other, Want: one}}
}

func compareMaps(path string, want, have map[string]any) (found []Difference) {
	keys := maps.Clone(want)
	if keys == nil {
		keys = map[string]any{}
	}
	maps.Copy(keys, have)
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		below := key
		switch {
		case strings.HasPrefix(key, "["):
			below = path + key
		case path != "":
			below = path + "." + key
		}
		w, h := want[key], have[key]
		if (w == nil || h == nil) && strings.HasPrefix(key, "[") { // a statement, as a whole
			found = append(found, Difference{Path: below, Have: text(below, h), Want: text(below, w)})
			continue
		}
		if key == "Version" && (want == nil || have == nil) {
			continue // there is no policy: its statements say so
		}
		found = append(found, compare(below, w, h)...)
	}
	return found
}

// stringList returns the strings of a list; none is an empty one.
func stringList(v any) ([]string, bool) {
	switch list := v.(type) {
	case nil:
		return nil, true
	case []string:
		return list, true
	case []any:
		out := make([]string, len(list))
		for i, item := range list {
			s, ok := item.(string)
			if !ok {
				return nil, false
			}
			out[i] = s
		}
		return out, true
	}
	return nil, false
}

func without(all, others []string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(s string) bool { return slices.Contains(others, s) })
}

// text is a value for people.
func text(path string, v any) string {
	switch value := v.(type) {
	case nil:
		return ""
	case string:
		return value
	case []string:
		return strings.Join(value, ", ")
	case bool:
		return map[bool]string{true: "true", false: "false"}[value]
	case float64:
		if strings.HasSuffix(path, "MaxSession") {
			return time.Duration(value).String()
		}
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(raw)
}
