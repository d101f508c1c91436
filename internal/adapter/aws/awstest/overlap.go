package awstest

import (
	"regexp"
	"strings"
)

// placeholder is what stands for a name in the templates of the reference.
var placeholder = regexp.MustCompile(`\$\{[^}]*\}|<[^>]*>`)

// slashed are the placeholders whose names may have slashes, and coloned those that may
// have colons; ResourceName of objects has both.
var (
	slashed = regexp.MustCompile(`Path|ObjectName|RepositoryName|ModelPackageName|LogGroupName|LogStreamName|OidcProviderName|AlarmName|ServiceName`)
	coloned = regexp.MustCompile(`ObjectName|AlarmName`)
)

// unit is a character of a template, or any that is not excluded; many: any number of it.
type unit struct {
	literal  byte
	any      bool
	many     bool
	excluded string
}

func units(template string) (all []unit) {
	for template != "" {
		at := placeholder.FindStringIndex(template)
		if at == nil || at[0] > 0 {
			all = append(all, unit{literal: template[0]})
			template = template[1:]
			continue
		}
		name := template[:at[1]]
		excluded := ""
		if !slashed.MatchString(name) {
			excluded += "/"
		}
		if !coloned.MatchString(name) {
			excluded += ":"
		}
		all = append(all, unit{any: true, excluded: excluded}, unit{any: true, many: true, excluded: excluded})
		template = template[at[1]:]
	}
	return all
}

// overlaps reports whether a pattern of a policy matches some ARN of a template.
func overlaps(template, pattern string) bool {
	if template == "" {
		return false
	}
	o := overlap{units(template), pattern, map[[2]int]bool{}}
	return o.from(0, 0)
}

type overlap struct {
	template []unit
	pattern  string
	failed   map[[2]int]bool // where no match begins
}

// from matches the rests of both.
func (o overlap) from(t, p int) bool {
	at := [2]int{t, p}
	if o.failed[at] {
		return false
	}
	ok := o.step(t, p)
	if !ok {
		o.failed[at] = true
	}
	return ok
}

func (o overlap) step(t, p int) bool {
	star := p < len(o.pattern) && o.pattern[p] == '*'
	switch {
	case t == len(o.template):
		return p == len(o.pattern) || star && o.from(t, p+1)
	case o.template[t].many && o.from(t+1, p):
		return true
	case p == len(o.pattern):
		return false
	case star:
		return o.from(t, p+1) || !o.template[t].many && o.from(t+1, p)
	}
	next := t + 1
	if o.template[t].many {
		next = t
	}
	return o.template[t].takes(o.pattern[p]) && o.from(next, p+1)
}

// takes reports whether a unit can be a character of a pattern.
func (u unit) takes(c byte) bool {
	if u.any {
		return !strings.ContainsRune(u.excluded, rune(c))
	}
	return c == '?' || c == u.literal
}
