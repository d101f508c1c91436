package house

import (
	"go/ast"
	"go/token"
	"reflect"
	"regexp"
	"strconv"
	"strings"
)

// Pattern is wording that is refused, and what to write in its place.
type Pattern struct {
	form *regexp.Regexp
	// except is what the matched text may go on with all the same.
	except   *regexp.Regexp
	comments bool // it is refused in comments, too
	Instead  string
}

// Patterns are the wordings that native readers stumble over.
func Patterns() []Pattern {
	p := func(form, instead string) Pattern { return Pattern{form: regexp.MustCompile(form), Instead: instead} }
	c := func(form, instead string) Pattern {
		q := p(form, instead)
		q.comments = true
		return q
	}
	isNo := p(`\b(?:is|are|was) no `, `"%q is not a valid X", "X not found" or "has no X"`)
	isNo.except = regexp.MustCompile(`^(?:longer|more|later|less|other)\b`)
	return []Pattern{
		isNo,
		p(`\b[Tt]here (?:is|are|was) (?:no|none|nothing)\b`, `"no X found", "X not found" or "has no X"`),
		p(`\b(?:is|are) not there\b|\bis there (?:twice|already)\b`, `"X not found", "duplicate X" or "X already exists"`),
		p(`\b(?:is|are) not possible\b`, `"invalid value %q"`),
		p(`\bhas to say\b`, `"set exactly one of a or b"`),
		p(`\blets? (?:it|this one|that one|them|[a-z]+ %[sqv]|%[sqv]) go\b`, `"release", "unquarantine"`),
		p(`\bbeside what\b`, `"staged", "next to the current release"`),
		p(`\bbr(?:oke|eaks|oken) down\b`, `"panicked", "failed"`),
		p(`\bof (?:its|one's|our|your|their) own\b`, `"a separate X", or nothing`),
		p(`\bfailed to\b`, `the act itself: "read %s: %w"`),
		p(`\b(?:cannot|can't|could not|did not|does not|was not|were not|not be) (?:be )?(?:asked|told)\b`, `"could not be checked", "did not respond"`),
		p(`\b(?:go|goes|went|take|takes|taken|took) (?:it |%s )?back\b`, `"roll back", "is rolled back"`),
		c(`\b(?:[Nn]obody|[Ss]omebody|[Ww]hom)\b`, `name the user, the program or the field`),
		c(`\b(?:tells|says|tell|say) (?:whether|that)\b`, `"reports whether", "means that"`),
		c(`^//\s+\w+ (?:tells|says)\b`, `"X reports whether", "X returns"`),
	}
}

// foreign reports whether a text is what other programs print, and is only
// looked for in their output: BuildKit, pip, uv and Trivy.
func foreign(text string) bool {
	for _, f := range []string{
		"failed to solve", "failed to resolve source metadata", "failed to load cache key", "failed to calculate checksum",
		"failed to compute cache key", "failed to lookup address", "failed to download",
	} {
		if strings.Contains(text, f) {
			return true
		}
	}
	return false
}

// Hit is refused wording in a file.
type Hit struct {
	File    string // relative to the root
	Line    int
	Text    string
	Instead string
}

// wording finds what patterns refuse in the strings and comments of a file.
func wording(set *token.FileSet, f *ast.File, patterns []Pattern) []Hit {
	var hits []Hit
	look := func(at token.Pos, text string, comment bool) {
		if !comment && foreign(text) {
			return
		}
		for _, p := range patterns {
			if comment && !p.comments || !p.refuses(text) {
				continue
			}
			pos := set.Position(at)
			hits = append(hits, Hit{pos.Filename, pos.Line, text, p.Instead})
		}
	}
	ast.Inspect(f, func(n ast.Node) bool {
		switch x := n.(type) {
		case *ast.ImportSpec:
			return false
		case *ast.Field:
			if x.Tag != nil {
				look(x.Tag.Pos(), description(x.Tag.Value), false)
			}
			ast.Inspect(x.Type, func(n ast.Node) bool { return true })
			return x.Tag == nil
		case *ast.BasicLit:
			if x.Kind == token.STRING {
				if text, err := strconv.Unquote(x.Value); err == nil {
					look(x.Pos(), text, false)
				}
			}
		}
		return true
	})
	for _, g := range f.Comments {
		for _, c := range g.List {
			look(c.Pos(), c.Text, true)
		}
	}
	return hits
}

// refuses reports whether the pattern matches text other than in an exception.
func (p Pattern) refuses(text string) bool {
	for _, m := range p.form.FindAllStringIndex(text, -1) {
		if p.except == nil || !p.except.MatchString(text[m[1]:]) {
			return true
		}
	}
	return false
}

// description is the part of a struct tag that users read, in the JSON Schema.
func description(tag string) string {
	text, err := strconv.Unquote(tag)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(reflect.StructTag(text).Get("jsonschema_description"))
}
