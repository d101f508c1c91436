// Package export is what the exports of an account to other tools have in common: values
// with references, policies as such values, and YAML. It is pure.
package export

import (
	"bytes"
	"encoding/json"
	"strings"
	"unicode"

	"github.com/slipway-cd/slipway/internal/account"
	"github.com/slipway-cd/slipway/internal/fault"
)

// File is one file of an export.
type File struct {
	Name string // without a folder
	Text string
}

// Object is a value with named parts in their order. Other values are strings, ints,
// bools, []any, Objects, and what a tool has besides, such as its references.
type Object []Field

// Field is a part of an Object.
type Field struct {
	Key   string
	Value any
}

// MarshalJSON writes the parts in their order.
func (o Object) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, f := range o {
		if i > 0 {
			b.WriteByte(',')
		}
		key, err := json.Marshal(f.Key)
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(f.Value)
		if err != nil {
			return nil, err
		}
		b.Write(key)
		b.WriteByte(':')
		b.Write(value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// Reference is a text that begins with the ARN of a resource that is made before.
type Reference struct {
	Index int    // of the resource in the set
	Rest  string // after its ARN
}

// Refer finds the resource whose ARN begins the text, among the first n of the set: what
// is made later can't be referred to, as that could go in a circle. There are none for
// texts that name no such resource.
func Refer(s account.Set, n int, text string) (Reference, bool) {
	found, ok := Reference{}, false
	for i, r := range s.Resources[:n] {
		rest, begins := strings.CutPrefix(text, r.ARN)
		if r.ARN == "" || !begins || rest != "" && rest[0] != '/' && rest[0] != ':' {
			continue
		}
		if !ok || len(rest) < len(found.Rest) {
			found, ok = Reference{i, rest}, true
		}
	}
	return found, ok
}

// Tags are those of a resource.
func Tags(s account.Set, r account.Resource) Object {
	tags := Object{{account.TagProject, s.Project}}
	if r.Environment != "" {
		tags = append(tags, Field{account.TagEnvironment, string(r.Environment)})
	}
	return tags
}

// Path is that of a role or a policy, "/" without one.
func Path(r account.Resource) string {
	_, resource, _ := strings.Cut(r.ARN, "::")
	_, resource, _ = strings.Cut(resource, ":")
	_, path, found := strings.Cut(resource, "/")
	if path, ok := strings.CutSuffix(path, r.Name); found && ok {
		return "/" + path
	}
	return "/"
}

// Names gives each resource of a set an identifier of its own, by letters and digits of
// its name, joined by join.
func Names(s account.Set, join func(kind account.Kind, words []string) string) []string {
	taken, names := map[string]bool{}, make([]string, len(s.Resources))
	for i, r := range s.Resources {
		words := strings.FieldsFunc(r.Name, func(c rune) bool { return c > unicode.MaxASCII || !unicode.IsLetter(c) && !unicode.IsDigit(c) })
		name := join(r.Kind, words)
		for n := 2; taken[name]; n++ {
			name = join(r.Kind, append(words[:len(words):len(words)], digits(n)))
		}
		taken[name], names[i] = true, name
	}
	return names
}

func digits(n int) string {
	if n < 10 {
		return string(rune('0' + n))
	}
	return digits(n/10) + digits(n%10)
}

// Unknown is the error for a resource that a tool has no form for.
func Unknown(tool string, r account.Resource) error {
	return fault.New(fault.Internal, "export %s %s: %s has no form for it", r.Kind, r.Name, tool)
}
