package config

import (
	"fmt"
	"reflect"
	"sort"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
)

// maxMistakes is how many are reported at once.
const maxMistakes = 10

// decoder fills a Project from YAML nodes, remembers where everything was, and
// collects what is wrong. A path names a value: "test[1].name".
type decoder struct {
	file     string
	places   map[string]place
	mistakes []mistake
}

// mistake is one thing wrong with the file.
type mistake struct {
	at  place
	err *fault.Error
}

// place is where a value is. Raw tells that the text stands there letter by
// letter, so that a column within it is a column of the file.
type place struct {
	line, column int
	raw          bool
}

func (d *decoder) into(p *Project, root ast.Node) {
	d.value(reflect.ValueOf(p).Elem(), root, "", rules{})
}

// result is what is wrong, as one error.
func (d *decoder) result() error {
	sort.SliceStable(d.mistakes, func(i, j int) bool {
		a, b := d.mistakes[i].at, d.mistakes[j].at
		return a.line < b.line || a.line == b.line && a.column < b.column
	})
	switch len(d.mistakes) {
	case 0:
		return nil
	case 1:
		return d.mistakes[0].err
	}
	all := make(ErrorList, len(d.mistakes))
	for i, m := range d.mistakes {
		all[i] = m.err
	}
	return all
}

// fail notes a mistake at the value named by path.
func (d *decoder) fail(path, hint, format string, args ...any) {
	d.failAt(d.find(path), hint, format, args...)
}

func (d *decoder) failAt(at place, hint, format string, args ...any) {
	if len(d.mistakes) >= maxMistakes {
		return
	}
	e := fault.New(fault.Invalid, format, args...).Location(fmt.Sprintf("%s:%d:%d", d.file, at.line, at.column))
	if hint != "" {
		e = e.Hint("%s", hint)
	}
	d.mistakes = append(d.mistakes, mistake{at, e})
}

// find is the place of the value, or of what would hold it.
func (d *decoder) find(path string) place {
	for {
		if at, ok := d.places[path]; ok {
			return at
		}
		i := strings.LastIndexAny(path, ".[")
		if i < 0 {
			break
		}
		path = path[:i]
	}
	if at, ok := d.places[""]; ok {
		return at
	}
	return place{line: 1, column: 1}
}

// value decodes one node into v.
func (d *decoder) value(v reflect.Value, n ast.Node, path string, r rules) {
	at := where(n)
	d.places[path] = at
	switch n.(type) {
	case *ast.AliasNode, *ast.AnchorNode, *ast.MergeKeyNode:
		d.failAt(at, "write it twice", "%sanchors and aliases are not allowed", named(path))
		return
	case *ast.TagNode:
		d.failAt(at, "remove it", "%stags are not allowed", named(path))
		return
	case *ast.NullNode:
		d.failAt(at, "give it a value, or remove the line", "%sis empty", called(path))
		return
	}
	if v.Kind() == reflect.Pointer {
		v.Set(reflect.New(v.Type().Elem()))
		v = v.Elem()
	}
	if d.special(v, n, path) {
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		d.structure(v, n, path)
	case reflect.Map:
		d.mapping(v, n, path, r)
	case reflect.Slice:
		d.list(v, n, path, r)
	case reflect.Interface:
		if x := d.plain(n, path, 0); x != nil {
			v.Set(reflect.ValueOf(x))
		}
	default:
		d.scalar(v, n, path, r)
	}
}

// special decodes the types that have a form of their own.
func (d *decoder) special(v reflect.Value, n ast.Node, path string) bool {
	switch v.Interface().(type) {
	case delivery.Duration:
		text, ok := d.text(n, path, "a duration such as 30s, 5m or 1h")
		if !ok {
			return true
		}
		var out delivery.Duration
		if err := out.UnmarshalText([]byte(text)); err != nil || out < 0 {
			d.fail(path, "write it as 500ms, 30s, 5m or 1h30m", "%s%q is not a duration", named(path), text)
			return true
		}
		v.Set(reflect.ValueOf(out))
	case Size:
		text, ok := d.text(n, path, "a size such as 512Mi or 2Gi")
		if i, isInt := n.(*ast.IntegerNode); isInt {
			text, ok = i.GetToken().Value, true
		}
		if !ok {
			return true
		}
		out, err := parseSize(text)
		if err != nil {
			d.fail(path, "write it as 512Mi, 2Gi or 500M", "%s%v", named(path), err)
			return true
		}
		v.Set(reflect.ValueOf(out))
	case StringList:
		if _, isList := n.(*ast.SequenceNode); isList {
			return false
		}
		if text, ok := d.text(n, path, "a name or a list of names"); ok {
			v.Set(reflect.ValueOf(StringList{text}))
		}
	default:
		return false
	}
	return true
}

func (d *decoder) structure(v reflect.Value, n ast.Node, path string) {
	pairs, ok := d.pairs(n, path)
	if !ok {
		return
	}
	fields := fieldsOf(v.Type())
	strange := false
	for _, p := range pairs {
		f, known := fields[p.name]
		if !known {
			strange = true
			d.failAt(p.at, fault.DidYouMean(p.name, names(fields)), "%sthere is no key %q", named(path), p.name)
			continue
		}
		d.value(v.Field(f.index), p.value, under(path, p.name), f.rules)
	}
	if strange {
		return // what seems to be missing is likely there under a wrong name
	}
	for _, name := range names(fields) {
		if !fields[name].rules.required {
			continue
		}
		if _, has := d.places[under(path, name)]; !has {
			d.fail(path, fields[name].about, "%sthe key %q is missing", named(path), name)
		}
	}
}

func (d *decoder) mapping(v reflect.Value, n ast.Node, path string, r rules) {
	pairs, ok := d.pairs(n, path)
	if !ok {
		return
	}
	if len(pairs) < r.least {
		d.fail(path, "", "%sthere has to be at least one", named(path))
	}
	v.Set(reflect.MakeMap(v.Type()))
	for _, p := range pairs {
		one := reflect.New(v.Type().Elem()).Elem()
		d.value(one, p.value, under(path, p.name), rules{})
		v.SetMapIndex(reflect.ValueOf(p.name).Convert(v.Type().Key()), one)
	}
}

func (d *decoder) list(v reflect.Value, n ast.Node, path string, r rules) {
	s, ok := n.(*ast.SequenceNode)
	if !ok {
		d.fail(path, "write it as [a, b] or with a dash before each", "%sis %s, not a list", called(path), kind(n))
		return
	}
	if len(s.Values) < r.least {
		d.fail(path, "", "%sthere has to be at least one", named(path))
	}
	v.Set(reflect.MakeSlice(v.Type(), len(s.Values), len(s.Values)))
	for i, x := range s.Values {
		d.value(v.Index(i), x, fmt.Sprintf("%s[%d]", path, i), r)
	}
}

func (d *decoder) scalar(v reflect.Value, n ast.Node, path string, r rules) {
	switch v.Kind() {
	case reflect.String:
		text, ok := d.text(n, path, "a text")
		if !ok {
			return
		}
		if len(r.enum) > 0 && !r.has(text) {
			d.fail(path, choose(text, r.enum), "%s%q is not possible", named(path), text)
		}
		v.SetString(text)
	case reflect.Int:
		i, err := strconv.ParseInt(n.GetToken().Value, 0, 32)
		if _, ok := n.(*ast.IntegerNode); !ok || err != nil {
			d.fail(path, "", "%sis %s, not a whole number", called(path), kind(n))
			return
		}
		d.bounds(float64(i), path, r)
		v.SetInt(i)
	case reflect.Float64:
		f, err := strconv.ParseFloat(n.GetToken().Value, 64)
		if !isNumber(n) || err != nil {
			d.fail(path, "", "%sis %s, not a number", called(path), kind(n))
			return
		}
		d.bounds(f, path, r)
		v.SetFloat(f)
	case reflect.Bool:
		b, ok := n.(*ast.BoolNode)
		if !ok {
			d.fail(path, "write true or false", "%sis %s, not true or false", called(path), kind(n))
			return
		}
		v.SetBool(b.Value)
	}
}

func (d *decoder) bounds(f float64, path string, r rules) {
	text := strconv.FormatFloat(f, 'g', -1, 64)
	switch {
	case len(r.enum) > 0 && !r.has(text):
		d.fail(path, choose(text, r.enum), "%s%s is not possible", named(path), text)
	case r.min != nil && f < *r.min:
		d.fail(path, "", "%s%s is less than %v", named(path), text, *r.min)
	case r.max != nil && f > *r.max:
		d.fail(path, "", "%s%s is more than %v", named(path), text, *r.max)
	}
}
