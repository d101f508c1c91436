package account

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// normalDocument is a policy of IAM of which two are equal if they say the same. Its
// statements are keyed by Sid, or numbered in the order of their texts. One without a
// statement is none: IAM keeps no such policy.
func normalDocument(m map[string]any) any {
	out := maps.Clone(m)
	delete(out, "Id")
	statements, ok := m["Statement"].([]any)
	if !ok {
		statements = []any{m["Statement"]}
	}
	if len(statements) == 0 {
		return nil
	}
	all, texts := map[string]any{}, []string{}
	byText := map[string]any{}
	for _, s := range statements {
		n := normalStatement(s)
		sid := sidOf(n)
		if _, taken := all["["+sid+"]"]; sid != "" && !taken {
			all["["+sid+"]"] = n
			continue
		}
		raw, _ := json.Marshal(n) // it was unmarshalled
		texts, byText[string(raw)] = append(texts, string(raw)), n
	}
	slices.Sort(texts)
	for i, raw := range slices.Compact(texts) {
		all[fmt.Sprintf("[%d]", i+1)] = byText[raw]
	}
	out["Statement"] = all
	return out
}

func sidOf(statement any) string {
	m, _ := statement.(map[string]any)
	sid, _ := m["Sid"].(string)
	return sid
}

// normalStatement makes lists of what may be lists.
func normalStatement(s any) any {
	m, ok := s.(map[string]any)
	if !ok {
		return s
	}
	out := map[string]any{}
	for key, value := range m {
		switch key {
		case "Action", "NotAction", "Resource", "NotResource":
			out[key] = normalList(value)
		case "Principal", "NotPrincipal":
			out[key] = normalPrincipals(value)
		case "Condition":
			if c := normalConditions(value); c != nil {
				out[key] = c
			}
		default:
			out[key] = value
		}
	}
	return out
}

// normalPrincipals writes "*" and bare accounts as IAM keeps them.
func normalPrincipals(v any) any {
	if v == "*" {
		v = map[string]any{"AWS": "*"}
	}
	m, ok := v.(map[string]any)
	if !ok {
		return v
	}
	out := map[string]any{}
	for kind, names := range m {
		list := normalList(names)
		for i, name := range list {
			if kind == "AWS" && len(name) == 12 && strings.Trim(name, "0123456789") == "" {
				list[i] = "arn:aws:iam::" + name + ":root"
			}
		}
		out[kind] = list
	}
	return out
}

func normalConditions(v any) any {
	operators, ok := v.(map[string]any)
	if !ok {
		return v
	}
	out := map[string]any{}
	for operator, keys := range operators {
		m, ok := keys.(map[string]any)
		if !ok {
			out[operator] = keys
			continue
		}
		values := map[string]any{}
		for key, value := range m {
			values[key] = normalList(value)
		}
		out[operator] = values
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

// normalList is the sorted strings of a value or a list.
func normalList(v any) []string {
	list, ok := v.([]any)
	if !ok {
		list = []any{v}
	}
	out := []string{}
	for _, item := range list {
		out = append(out, text("", item))
	}
	slices.Sort(out)
	return slices.Compact(out)
}
