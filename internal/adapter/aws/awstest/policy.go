package awstest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Policy is a policy of IAM: of an identity, of a boundary, or of the trust in a role.
type Policy struct {
	Version   string
	ID        string `json:"Id"`
	Statement statements
}

// Statement is a statement of a policy. What it leaves out matches nothing, but for
// Resource and Principal, which only some policies have.
type Statement struct {
	Sid, Effect      string
	Principal        principals
	Action, Resource oneOrMore
	Condition        map[string]map[string]oneOrMore // by operator and key
}

// principals are whom a statement is about, by kind.
type principals map[string]oneOrMore

// UnmarshalJSON accepts "*", too, which is everybody.
func (p *principals) UnmarshalJSON(raw []byte) error {
	if string(raw) == `"*"` {
		*p = principals{"AWS": {"*"}}
		return nil
	}
	return json.Unmarshal(raw, (*map[string]oneOrMore)(p))
}

// statements are a list, or the only one.
type statements []Statement

// UnmarshalJSON accepts both.
func (s *statements) UnmarshalJSON(raw []byte) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if bytes.HasPrefix(bytes.TrimSpace(raw), []byte("[")) {
		return d.Decode((*[]Statement)(s))
	}
	*s = make(statements, 1)
	return d.Decode(&(*s)[0])
}

// oneOrMore is a string or a list of them; true and numbers are texts.
type oneOrMore []string

// UnmarshalJSON accepts both.
func (o *oneOrMore) UnmarshalJSON(raw []byte) error {
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		return err
	}
	all, ok := v.([]any)
	if !ok {
		all = []any{v}
	}
	for _, x := range all {
		*o = append(*o, fmt.Sprint(x))
	}
	return nil
}

// ParsePolicy reads a policy. What the evaluator does not know, such as NotAction and
// operators that Slipway never writes, is an error: it must not count as nothing.
func ParsePolicy(text string) (p Policy, err error) {
	d := json.NewDecoder(bytes.NewReader([]byte(text)))
	d.DisallowUnknownFields()
	if err := d.Decode(&p); err != nil {
		return p, fmt.Errorf("policy: %w", err)
	}
	if p.Version != "2012-10-17" {
		return p, fmt.Errorf("policy: version %q", p.Version)
	}
	for i, s := range p.Statement {
		if s.Effect != "Allow" && s.Effect != "Deny" || len(s.Action) == 0 || len(s.Resource)+len(s.Principal) == 0 {
			return p, fmt.Errorf("policy: statement %d (%s) needs an effect, actions, and resources or principals", i, s.Sid)
		}
		if variable := s.variable(); variable != "" {
			return p, fmt.Errorf("policy: statement %d (%s) has the variable in %s, which awstest does not know", i, s.Sid, variable)
		}
		for operator := range s.Condition {
			if _, ok := operators[base(operator)]; !ok {
				return p, fmt.Errorf("policy: statement %d (%s) has the operator %s, which awstest does not know", i, s.Sid, operator)
			}
		}
	}
	return p, nil
}

// escapes are the variables that stand for a character.
var escapes = strings.NewReplacer("${*}", "*", "${?}", "?", "${$}", "$")

// variable returns a text of the statement with a variable that stands for more than a
// character; empty: there is none.
func (s Statement) variable() string {
	all := slices.Clone(s.Resource)
	for _, keys := range s.Condition {
		for _, values := range keys {
			all = append(all, values...)
		}
	}
	for _, text := range all {
		if strings.Contains(strings.NewReplacer("${*}", "", "${?}", "", "${$}", "").Replace(text), "${") {
			return text
		}
	}
	return ""
}

// Access is what a call needs: an action on a resource, with the condition keys of the
// request. A resource "*" is matched by "*" only.
type Access struct {
	Action, Resource string
	Keys             map[string][]string
}

// Decision is what policies say of an access.
type Decision int

// The decisions. An explicit deny wins; nothing that allows is a deny, too.
const (
	NotAllowed Decision = iota
	Allowed
	Refused
)

// Decide evaluates the policies of an identity, within its boundary if it has one.
func Decide(policies []Policy, boundary *Policy, a Access) Decision {
	result := decideAll(policies, a)
	if boundary == nil || result != Allowed {
		return result
	}
	return decideAll([]Policy{*boundary}, a)
}

func decideAll(policies []Policy, a Access) Decision {
	result := NotAllowed
	for _, p := range policies {
		for _, s := range p.Statement {
			if !s.matches(a) {
				continue
			}
			if s.Effect == "Deny" {
				return Refused
			}
			result = Allowed
		}
	}
	return result
}

func (s Statement) matches(a Access) bool {
	action := func(pattern string) bool { return like(strings.ToLower(pattern), strings.ToLower(a.Action)) }
	resource := func(pattern string) bool { return arnLike(pattern, a.Resource) }
	return slices.ContainsFunc(s.Action, action) && (len(s.Resource) == 0 || slices.ContainsFunc(s.Resource, resource)) && s.holds(a.Keys)
}

// holds evaluates the conditions: all of them, and of a key's values any.
func (s Statement) holds(keys map[string][]string) bool {
	for operator, wanted := range s.Condition {
		for key, values := range wanted {
			if !condition(operator, values, find(keys, key)) {
				return false
			}
		}
	}
	return true
}

// find looks a key up: their names do not depend on case.
func find(keys map[string][]string, name string) []string {
	for key, values := range keys {
		if strings.EqualFold(key, name) {
			return values
		}
	}
	return nil
}

// operators compare a value of the request with one of the policy.
var operators = map[string]func(want, is string) bool{
	"StringEquals":              func(want, is string) bool { return escapes.Replace(want) == is },
	"StringEqualsIgnoreCase":    func(want, is string) bool { return strings.EqualFold(escapes.Replace(want), is) },
	"StringLike":                like,
	"ArnEquals":                 arnLike,
	"ArnLike":                   arnLike,
	"Bool":                      strings.EqualFold,
	"NumericEquals":             func(want, is string) bool { return number(is) == number(want) },
	"NumericLessThanEquals":     func(want, is string) bool { return number(is) <= number(want) },
	"NumericGreaterThanEquals":  func(want, is string) bool { return number(is) >= number(want) },
	"StringNotEquals":           func(want, is string) bool { return escapes.Replace(want) == is },
	"StringNotLike":             like,
	"ArnNotLike":                arnLike,
	"StringNotEqualsIgnoreCase": strings.EqualFold,
	"Null":                      nil,
}

func number(text string) (n float64) {
	_, _ = fmt.Sscan(text, &n)
	return n
}

// base is an operator without what it says of keys that are absent or have more values.
func base(operator string) string {
	operator = strings.TrimSuffix(operator, "IfExists")
	_, rest, ok := strings.Cut(operator, ":")
	if ok {
		return rest
	}
	return operator
}

// condition evaluates an operator. Without a set qualifier, a key has one value, and one
// that is absent matches only negated operators and those with IfExists. ForAllValues is
// true of an absent key, as AWS has it.
func condition(operator string, wanted, is []string) bool {
	name := base(operator)
	if name == "Null" {
		return len(wanted) == 1 && (wanted[0] == "true") == (len(is) == 0)
	}
	negated := strings.Contains(name, "Not")
	holds := func(value string) bool {
		matches := slices.ContainsFunc(wanted, func(want string) bool { return operators[name](want, value) })
		return matches != negated
	}
	switch {
	case strings.HasPrefix(operator, "ForAllValues:"):
		return !slices.ContainsFunc(is, func(value string) bool { return !holds(value) })
	case strings.HasPrefix(operator, "ForAnyValue:"):
		return slices.ContainsFunc(is, holds)
	case len(is) == 0:
		return negated || strings.HasSuffix(operator, "IfExists")
	}
	return !slices.ContainsFunc(is, func(value string) bool { return !holds(value) })
}

// like matches * (any characters) and ? (one); ${*}, ${?} and ${$} are the characters.
func like(pattern, text string) bool {
	for pattern != "" {
		switch {
		case len(pattern) >= 4 && escapes.Replace(pattern[:4]) != pattern[:4] && pattern[:2] == "${":
			if text == "" || text[0] != pattern[2] {
				return false
			}
			pattern, text = pattern[4:], text[1:]
			continue
		case pattern[0] == '*':
			rest := strings.TrimLeft(pattern, "*")
			for i := 0; i <= len(text); i++ {
				if like(rest, text[i:]) {
					return true
				}
			}
			return false
		case text == "" || pattern[0] != '?' && pattern[0] != text[0]:
			return false
		}
		pattern, text = pattern[1:], text[1:]
	}
	return text == ""
}

// arnLike matches the six parts of ARNs each on its own: * does not reach over a colon
// before the resource.
func arnLike(pattern, arn string) bool {
	if pattern == "*" {
		return true
	}
	want, is := strings.SplitN(pattern, ":", 6), strings.SplitN(arn, ":", 6)
	if len(want) != 6 || len(is) != 6 {
		return pattern == arn
	}
	for i := range want {
		if !like(want[i], is[i]) {
			return false
		}
	}
	return true
}
