package awstest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// changed is a statement with something taken away; nil: all of it.
type changed struct {
	what      string
	statement map[string]any
}

// with is a statement with a member replaced.
func with(s map[string]any, member string, value any) map[string]any {
	other := maps.Clone(s)
	if other[member] = value; value == nil {
		delete(other, member)
	}
	return other
}

// mutate takes the parts of a statement away, each singly. The last one of a list is the
// statement itself.
func mutate(s map[string]any, used []Access) []changed {
	all := []changed{{"the statement", nil}}
	for _, member := range []string{"Action", "Resource"} {
		values := texts(s[member])
		for i, value := range values {
			if len(values) > 1 {
				all = append(all, changed{strings.ToLower(member) + " " + value, with(s, member, slices.Delete(slices.Clone(values), i, i+1))})
			}
			if narrow := narrowed(member, value, texts(s["Action"]), used); narrow != nil {
				others := append(slices.Delete(slices.Clone(values), i, i+1), narrow...)
				all = append(all, changed{fmt.Sprintf("%s %s, for which %s do", strings.ToLower(member), value, strings.Join(narrow, ", ")), with(s, member, others)})
			}
		}
	}
	conditions, _ := s["Condition"].(map[string]any)
	for operator, keys := range conditions {
		byKey, _ := keys.(map[string]any)
		for key, value := range byKey {
			name := fmt.Sprintf("condition %s of %s", operator, key)
			all = append(all, changed{name, withCondition(s, operator, key, nil)})
			values := texts(value)
			for i, one := range values {
				if len(values) > 1 {
					all = append(all, changed{name + ", value " + one, withCondition(s, operator, key, slices.Delete(slices.Clone(values), i, i+1))})
				}
			}
		}
	}
	slices.SortStableFunc(all, func(a, b changed) int { return strings.Compare(a.what, b.what) })
	return all
}

// withCondition is a statement with other values of a condition key, or without it.
func withCondition(s map[string]any, operator, key string, values []string) map[string]any {
	conditions, _ := s["Condition"].(map[string]any)
	byKey, _ := conditions[operator].(map[string]any)
	other := maps.Clone(conditions)
	if values != nil {
		other[operator] = with(byKey, key, values)
	} else if rest := with(byKey, key, nil); len(rest) > 0 {
		other[operator] = rest
	} else {
		delete(other, operator)
	}
	if len(other) == 0 {
		return with(s, "Condition", nil)
	}
	return with(s, "Condition", other)
}

// narrowed is what the accesses have of a pattern that is too wide whatever the names are;
// nil: it is not. Patterns in ARNs stay: the next run has other names.
func narrowed(member, value string, actions []string, used []Access) []string {
	var found []string
	for _, a := range used {
		ofStatement := slices.ContainsFunc(actions, func(pattern string) bool { return like(strings.ToLower(pattern), strings.ToLower(a.Action)) })
		if member == "Action" && strings.ContainsAny(value, "*?") && like(strings.ToLower(value), strings.ToLower(a.Action)) {
			found = append(found, a.Action)
		}
		if member == "Resource" && value == "*" && ofStatement {
			found = append(found, a.Resource)
		}
	}
	slices.Sort(found)
	found = slices.Compact(found)
	if member == "Resource" && slices.Contains(found, "*") {
		return nil
	}
	return found
}
