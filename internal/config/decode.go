package config

import (
	"fmt"
	"reflect"
	"sort"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/extension"
	"github.com/slipway-cd/slipway/internal/fault"
)

// maxErrors is how many are reported at once.
const maxErrors = 10

// decoder fills a Project from YAML nodes, remembers where everything was, and
// collects what is wrong. A path names a value: "test[1].name".
type decoder struct {
	file      string
	kinds     extension.Set
	project   *Project
	positions map[string]position
	sections  []decodedSection
	unchosen  []unchosen
	errors    []fieldError
}

// fieldError is one thing wrong with the file.
type fieldError struct {
	position position
	err      *fault.Error
}

// position is where a value is. raw reports that the text stands in the file
// verbatim, so that a column within it is a column of the file.
type position struct {
	line, column int
	raw          bool
}

func (d *decoder) decodeProject(p *Project, root ast.Node) {
	d.project = p
	d.decodeValue(reflect.ValueOf(p).Elem(), root, "", constraints{})
}

// result is what is wrong, as one error.
func (d *decoder) result() error {
	sort.SliceStable(d.errors, func(i, j int) bool {
		a, b := d.errors[i].position, d.errors[j].position
		return a.line < b.line || a.line == b.line && a.column < b.column
	})
	switch len(d.errors) {
	case 0:
		return nil
	case 1:
		return d.errors[0].err
	}
	all := make(ErrorList, len(d.errors))
	for i, m := range d.errors {
		all[i] = m.err
	}
	return all
}

// addError notes a mistake at the value named by path.
func (d *decoder) addError(path, hint, format string, args ...any) {
	d.addErrorAt(d.positionOf(path), hint, format, args...)
}

func (d *decoder) addErrorAt(at position, hint, format string, args ...any) {
	if len(d.errors) >= maxErrors {
		return
	}
	e := fault.New(fault.Invalid, format, args...).Location(fmt.Sprintf("%s:%d:%d", d.file, at.line, at.column))
	if hint != "" {
		e = e.Hint("%s", hint)
	}
	d.errors = append(d.errors, fieldError{at, e})
}

// positionOf is the place of the value, or of what would hold it.
func (d *decoder) positionOf(path string) position {
	for {
		if at, ok := d.positions[path]; ok {
			return at
		}
		i := strings.LastIndexAny(path, ".[")
		if i < 0 {
			break
		}
		path = path[:i]
	}
	if at, ok := d.positions[""]; ok {
		return at
	}
	return position{line: 1, column: 1}
}

// decodeValue decodes one node into v.
func (d *decoder) decodeValue(v reflect.Value, n ast.Node, path string, r constraints) {
	at := positionOfNode(n)
	d.positions[path] = at
	switch n.(type) {
	case *ast.AliasNode, *ast.AnchorNode, *ast.MergeKeyNode:
		d.addErrorAt(at, "write the value out again", "%sanchors and aliases are not allowed", prefix(path))
		return
	case *ast.TagNode:
		d.addErrorAt(at, "remove it", "%stags are not allowed", prefix(path))
		return
	case *ast.NullNode:
		d.addErrorAt(at, "give it a value, or remove the line", "%sis empty", subject(path))
		return
	}
	if v.Kind() == reflect.Pointer {
		v.Set(reflect.New(v.Type().Elem()))
		v = v.Elem()
	}
	if d.decodeSpecial(v, n, path) {
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		d.decodeStruct(v, n, path)
	case reflect.Map:
		d.decodeMap(v, n, path, r)
	case reflect.Slice:
		d.decodeList(v, n, path, r)
	case reflect.Interface:
		if x := d.decodeAny(n, path, 0); x != nil {
			v.Set(reflect.ValueOf(x))
		}
	default:
		d.decodeScalar(v, n, path, r)
	}
}

// decodeSpecial decodes the types that have a notation of their own, such as
// durations.
func (d *decoder) decodeSpecial(v reflect.Value, n ast.Node, path string) bool {
	switch v.Interface().(type) {
	case delivery.Duration:
		text, ok := d.text(n, path, "a duration such as 30s, 5m or 1h")
		if !ok {
			return true
		}
		var out delivery.Duration
		if err := out.UnmarshalText([]byte(text)); err != nil || out < 0 {
			d.addError(path, "write it as 500ms, 30s, 5m or 1h30m", "%s%q is not a duration", prefix(path), text)
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
			d.addError(path, "write it as 512Mi, 2Gi or 500M", "%s%v", prefix(path), err)
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
	case []Smoke:
		return d.decodeModelOpened(v, n, path)
	case State:
		if isMapping(n) {
			return false
		}
		if text, ok := d.text(n, path, "a URL, or the path of a folder"); ok {
			v.Set(reflect.ValueOf(State{URL: text}))
		}
	case EnvironmentTrain:
		b, isBool := n.(*ast.BoolNode)
		if !isBool {
			return false
		}
		v.Set(reflect.ValueOf(EnvironmentTrain{Never: !b.Value}))
	default:
		return d.decodeUnion(v, n, path)
	}
	return true
}

func isMapping(n ast.Node) bool {
	switch n.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		return true
	}
	return false
}

// decodeModelOpened decodes the short form {model_opened: true} of a list of checks.
func (d *decoder) decodeModelOpened(v reflect.Value, n ast.Node, path string) bool {
	if !isMapping(n) {
		return false
	}
	pairs, ok := d.pairs(n, path)
	if ok && (len(pairs) != 1 || pairs[0].name != "model_opened") {
		return false
	}
	only := []Smoke{{Name: "model opened"}}
	for _, p := range pairs {
		d.decodeValue(reflect.ValueOf(&only[0].ModelOpened).Elem(), p.value, joinPath(path, p.name), constraints{})
	}
	v.Set(reflect.ValueOf(only))
	return true
}

func (d *decoder) decodeStruct(v reflect.Value, n ast.Node, path string) {
	pairs, ok := d.pairs(n, path)
	if !ok {
		return
	}
	fields := fieldsOf(v.Type())
	unknown := false
	for _, p := range pairs {
		f, known := fields[p.name]
		if !known && path == "" && d.decodeOptionalStep(p) {
			continue
		}
		if !known {
			unknown = true
			d.addErrorAt(p.position, fault.DidYouMean(p.name, d.keysAt(path, fields)), "%sunknown key %q", prefix(path), p.name)
			continue
		}
		d.decodeValue(v.Field(f.index), p.value, joinPath(path, p.name), f.constraints)
	}
	if unknown {
		return // what seems to be missing is likely there under a wrong name
	}
	d.requireKeys(path, fields)
}

// requireKeys reports the required keys that are missing below path.
func (d *decoder) requireKeys(path string, fields map[string]field) {
	for _, name := range keysOf(fields) {
		c := fields[name].constraints
		if !c.required && (c.unless == "" || d.isSet(joinPath(path, c.unless))) {
			continue
		}
		if !d.isSet(joinPath(path, name)) {
			d.addError(path, fields[name].description, "%smissing key %q", prefix(path), name)
		}
	}
}

func (d *decoder) decodeMap(v reflect.Value, n ast.Node, path string, r constraints) {
	pairs, ok := d.pairs(n, path)
	if !ok {
		return
	}
	if len(pairs) < r.minItems {
		d.addError(path, "", "%sat least one is required", prefix(path))
	}
	v.Set(reflect.MakeMap(v.Type()))
	for _, p := range pairs {
		entry := reflect.New(v.Type().Elem()).Elem()
		d.decodeValue(entry, p.value, joinPath(path, p.name), constraints{})
		v.SetMapIndex(reflect.ValueOf(p.name).Convert(v.Type().Key()), entry)
	}
}

func (d *decoder) decodeList(v reflect.Value, n ast.Node, path string, r constraints) {
	s, ok := n.(*ast.SequenceNode)
	if !ok {
		d.addError(path, "write it as [a, b], or one item per line with a leading dash", "%sis %s, not a list", subject(path), describeNode(n))
		return
	}
	if len(s.Values) < r.minItems {
		d.addError(path, "", "%sat least one is required", prefix(path))
	}
	v.Set(reflect.MakeSlice(v.Type(), len(s.Values), len(s.Values)))
	for i, x := range s.Values {
		d.decodeValue(v.Index(i), x, fmt.Sprintf("%s[%d]", path, i), r)
	}
}
