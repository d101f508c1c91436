package account

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// maxPolicy bounds a policy of an account, in bytes. IAM's own limits are below 20 kB.
const maxPolicy = 1 << 18

// foundStatement is a statement of an account's policy.
type foundStatement struct {
	name                string
	deny                bool
	principals          map[string][]string
	actions, notActions []string
	resources           []string
	conditions          []foundCondition
}

// foundCondition is one key of a condition.
type foundCondition struct {
	operator, key string // the key in lower case
	values        []string
}

// allows reports whether the statement has the action, by its name or a pattern.
func (s foundStatement) allows(action string) bool {
	return slices.ContainsFunc(s.actions, func(p string) bool { return matchesPattern(strings.ToLower(p), strings.ToLower(action)) })
}

// values are those of a key that has to be there for the condition to hold.
func (s foundStatement) values(key string) (all []string) {
	for _, c := range s.conditions {
		name := strings.TrimPrefix(c.operator, "ForAnyValue:")
		if c.key == strings.ToLower(key) && slices.Contains([]string{"StringEquals", "StringLike", "StringEqualsIgnoreCase", "ArnEquals", "ArnLike"}, name) {
			all = append(all, c.values...)
		}
	}
	return all
}

// readPolicy reads a policy of IAM, which may be one statement.
func readPolicy(text string) ([]foundStatement, error) {
	if len(text) > maxPolicy {
		return nil, fmt.Errorf("it has %d bytes, and IAM takes less", len(text))
	}
	var doc struct{ Statement json.RawMessage }
	if err := json.Unmarshal([]byte(text), &doc); err != nil {
		return nil, fmt.Errorf("it is not JSON: %w", err)
	}
	var all []map[string]any
	if json.Unmarshal(doc.Statement, &all) != nil {
		one := map[string]any{}
		if err := json.Unmarshal(doc.Statement, &one); err != nil {
			return nil, fmt.Errorf("it has no statements: %w", err)
		}
		all = append(all, one)
	}
	out := make([]foundStatement, len(all))
	for i, m := range all {
		out[i] = readStatement(m, strconv.Itoa(i+1))
	}
	return out, nil
}

func readStatement(m map[string]any, number string) foundStatement {
	s := foundStatement{name: number, deny: m["Effect"] != "Allow", principals: map[string][]string{}}
	if sid, ok := m["Sid"].(string); ok && sid != "" {
		s.name = sid
	}
	s.actions, s.notActions, s.resources = listOf(m["Action"]), listOf(m["NotAction"]), listOf(m["Resource"])
	switch p := m["Principal"].(type) {
	case string:
		s.principals["AWS"] = []string{p}
	case map[string]any:
		for kind, names := range p {
			s.principals[kind] = listOf(names)
		}
	}
	conditions, _ := m["Condition"].(map[string]any)
	for _, operator := range sortedKeys(conditions) {
		keys, _ := conditions[operator].(map[string]any)
		for _, key := range sortedKeys(keys) {
			s.conditions = append(s.conditions, foundCondition{operator, strings.ToLower(key), listOf(keys[key])})
		}
	}
	return s
}

func listOf(v any) []string {
	switch v := v.(type) {
	case nil:
		return nil
	case []any:
		var all []string
		for _, x := range v {
			all = append(all, fmt.Sprint(x))
		}
		return all
	}
	return []string{fmt.Sprint(v)}
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// matchesPattern: * is any text, ? a character.
func matchesPattern(pattern, text string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return sameLength(pattern, text)
	}
	first, last := parts[0], parts[len(parts)-1]
	if len(text) < len(first)+len(last) || !sameLength(first, text[:len(first)]) || !sameLength(last, text[len(text)-len(last):]) {
		return false
	}
	text = text[len(first) : len(text)-len(last)]
	for _, part := range parts[1 : len(parts)-1] {
		at := 0
		for ; at+len(part) <= len(text) && !sameLength(part, text[at:at+len(part)]); at++ {
		}
		if at+len(part) > len(text) {
			return false
		}
		text = text[at+len(part):]
	}
	return true
}

// sameLength compares texts in which ? is any character.
func sameLength(pattern, text string) bool {
	if len(pattern) != len(text) {
		return false
	}
	for i := range pattern {
		if pattern[i] != '?' && pattern[i] != text[i] {
			return false
		}
	}
	return true
}
