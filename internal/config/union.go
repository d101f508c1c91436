package config

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/extension"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/step"
)

// choice is one kind that a value of the file can be of.
type choice struct {
	kind        extension.Kind
	description string
	example     string
	section     extension.Section
}

// choices are the kinds that a value can be of; the file names exactly one.
type choices []choice

func targetChoices(kinds extension.Set) choices {
	var all choices
	for _, t := range kinds.Targets {
		all = append(all, choice{t.Kind, t.Description, t.Example, t.Section})
	}
	return all
}

func notifierChoices(kinds extension.Set) choices {
	var all choices
	for _, n := range kinds.Notifiers {
		all = append(all, choice{kind: n.Kind, example: n.Example, section: n.Section})
	}
	return all
}

func builderChoices(kinds extension.Set) choices {
	var all choices
	for _, b := range kinds.Builders {
		all = append(all, choice{kind: b.Kind, example: b.Example, section: b.Section})
	}
	return all
}

func runnerChoices(kinds extension.Set) choices {
	var all choices
	for _, r := range kinds.JobRunners {
		all = append(all, choice{r.Kind, r.Description, r.Example, r.Section})
	}
	return all
}

func (c choices) named(kind string) (choice, bool) {
	for _, x := range c {
		if string(x.kind) == kind {
			return x, true
		}
	}
	return choice{}, false
}

// ownerOf finds a kind whose section has the key.
func (c choices) ownerOf(key string) (extension.Kind, bool) {
	for _, x := range c {
		if _, ok := fieldsOf(sectionType(x.section))[key]; ok {
			return x.kind, true
		}
	}
	return "", false
}

func (c choices) kinds() []string {
	names := make([]string, len(c))
	for i, x := range c {
		names[i] = string(x.kind)
	}
	return names
}

// oneOf is the demand that exactly one kind be named.
func (c choices) oneOf() string {
	names := c.kinds()
	if len(names) == 1 {
		return "set " + names[0]
	}
	last := len(names) - 1
	return "set exactly one of " + strings.Join(names[:last], ", ") + " or " + names[last]
}

func (c choices) examples() string {
	var all []string
	for _, x := range c {
		if x.example != "" {
			all = append(all, x.example)
		}
	}
	return "such as " + strings.Join(all, " or ")
}

func sectionType(s extension.Section) reflect.Type { return reflect.TypeOf(s.New()).Elem() }

// decodedSection is a section to be checked once the whole file is decoded.
type decodedSection struct {
	path    string
	section extension.Section
	value   any
}

// unchosen is a value that does not name exactly one of its kinds. It is reported
// by validate, not while decoding, so that other mistakes are not hidden by it.
type unchosen struct {
	path string
	all  choices
}

func (d *decoder) reportUnchosen() {
	for _, u := range d.unchosen {
		d.addError(u.path, u.all.examples(), "%s%s", prefix(u.path), u.all.oneOf())
	}
}

// decodeKeyed decodes {KIND: {section}}. The section is nil when it is wrong.
func (d *decoder) decodeKeyed(n ast.Node, path string, all choices) (extension.Kind, any) {
	pairs, ok := d.pairs(n, path)
	if !ok {
		return "", nil
	}
	unknown := false
	for _, p := range pairs {
		if _, ok := all.named(p.name); !ok {
			unknown = true
			d.addErrorAt(p.position, fault.DidYouMean(p.name, all.kinds()), "%sunknown key %q", prefix(path), p.name)
		}
	}
	switch {
	case unknown:
		return "", nil
	case len(pairs) != 1:
		d.unchosen = append(d.unchosen, unchosen{path, all})
		return "", nil
	}
	c, _ := all.named(pairs[0].name)
	section := c.section.New()
	at := joinPath(path, pairs[0].name)
	d.decodeValue(reflect.ValueOf(section).Elem(), pairs[0].value, at, constraints{})
	d.sections = append(d.sections, decodedSection{at, c.section, section})
	return c.kind, section
}

// decodeInline decodes {KIND: ..., more keys of its section, shared keys}. The
// section is nil when it is wrong.
func (d *decoder) decodeInline(shared reflect.Value, n ast.Node, path string, all choices) (extension.Kind, any) {
	pairs, ok := d.pairs(n, path)
	if !ok {
		return "", nil
	}
	sharedFields := fieldsOf(shared.Type())
	var named []choice
	unknown := false
	for _, p := range pairs {
		if c, ok := all.named(p.name); ok {
			named = append(named, c)
			continue
		}
		_, isShared := sharedFields[p.name]
		if _, isOwned := all.ownerOf(p.name); !isShared && !isOwned {
			unknown = true
			d.addErrorAt(p.position, fault.DidYouMean(p.name, all.keys(sharedFields)), "%sunknown key %q", prefix(path), p.name)
		}
	}
	switch {
	case unknown:
		return "", nil
	case len(named) != 1:
		d.unchosen = append(d.unchosen, unchosen{path, all})
		return "", nil
	}
	section := named[0].section.New()
	own := reflect.ValueOf(section).Elem()
	ownFields := fieldsOf(own.Type())
	for _, p := range pairs {
		at := joinPath(path, p.name)
		if f, ok := ownFields[p.name]; ok {
			d.decodeValue(own.Field(f.index), p.value, at, f.constraints)
		} else if f, ok := sharedFields[p.name]; ok {
			d.decodeValue(shared.Field(f.index), p.value, at, f.constraints)
		} else {
			owner, _ := all.ownerOf(p.name)
			d.addErrorAt(positionOfNode(p.value), "remove it", "%sonly valid with %s", prefix(at), owner)
		}
	}
	d.requireKeys(path, ownFields)
	d.requireKeys(path, sharedFields)
	d.sections = append(d.sections, decodedSection{path, named[0].section, section})
	return named[0].kind, section
}

// keys are all that may stand in an inline value, for suggestions.
func (c choices) keys(shared map[string]field) []string {
	all := keysOf(shared)
	for _, x := range c {
		all = append(all, keysOf(fieldsOf(sectionType(x.section)))...)
	}
	return all
}

// sectionChecker reports mistakes in a section below its path.
type sectionChecker struct {
	d          *decoder
	path       string
	repository string
}

var _ extension.Checker = sectionChecker{}

func (c sectionChecker) at(key string) string {
	if key == "" {
		return c.path
	}
	return joinPath(c.path, key)
}

func (c sectionChecker) Fail(key, hint, format string, args ...any) {
	at := c.at(key)
	c.d.addError(at, hint, "%s: %s", at, fmt.Sprintf(format, args...))
}

func (c sectionChecker) IsSet(key string) bool {
	_, ok := c.d.positions[c.at(key)]
	return ok
}

func (c sectionChecker) MatchPattern(key, text, pattern, hint string) {
	c.d.matchPattern(c.at(key), text, pattern, hint)
}

func (c sectionChecker) CheckSecret(key string, s extension.Secret) {
	c.d.validateSecret(c.at(key), s)
}

func (c sectionChecker) CheckPath(key, path string) { c.d.validatePath(c.at(key), path) }

func (c sectionChecker) CheckLiterals(key string, env map[string]string) {
	c.d.validateVariables(c.at(key), env, literalOnly)
}

func (c sectionChecker) ImageRepository() string { return c.repository }

// decodeUnion decodes the types that hold one of several kinds.
func (d *decoder) decodeUnion(v reflect.Value, n ast.Node, path string) bool {
	switch v.Interface().(type) {
	case Target:
		if kind, section := d.decodeKeyed(n, path, targetChoices(d.kinds)); section != nil {
			v.Set(reflect.ValueOf(d.newTarget(kind, section, path)))
		}
	case Runner:
		if kind, section := d.decodeKeyed(n, path, runnerChoices(d.kinds)); section != nil {
			v.Set(reflect.ValueOf(Runner{kind, section}))
		}
	case Notify:
		kind, section := d.decodeInline(v, n, path, notifierChoices(d.kinds))
		if notify, ok := v.Addr().Interface().(*Notify); ok {
			notify.Kind, notify.Section = kind, section
		}
	case Build:
		kind, section := d.decodeInline(v, n, path, builderChoices(d.kinds))
		if build, ok := v.Addr().Interface().(*Build); ok && section != nil {
			build.Kind, build.Section, build.Params = kind, section, d.newBuildParams(kind, section, path)
		}
	default:
		return false
	}
	return true
}

func (d *decoder) newTarget(kind extension.Kind, section any, path string) Target {
	t, err := d.kinds.Target(kind)
	if err != nil {
		d.addError(path, "", "%s%v", prefix(path), err)
		return Target{}
	}
	location, err := delivery.NewLocation(section)
	if err != nil {
		d.addError(path, "", "%s%v", prefix(path), err)
	}
	target := Target{Kind: kind, Section: section, Location: location, Abilities: t.Abilities}
	if t.Port != nil {
		target.Port = t.Port(section)
	}
	return target
}

func (d *decoder) newBuildParams(kind extension.Kind, section any, path string) step.BuildParams {
	b, err := d.kinds.Builder(kind)
	var params step.BuildParams
	var raw json.RawMessage
	if err == nil {
		raw, err = json.Marshal(section)
	}
	if err == nil && b.Inline {
		err = json.Unmarshal(raw, &params)
	} else {
		params.Kind, params.Options = string(kind), raw
	}
	if err != nil {
		d.addError(path, "", "%s%v", prefix(path), err)
	}
	return params
}

// setDefaultKinds fills in the kinds that the file leaves out.
func (p *Project) setDefaultKinds(kinds extension.Set) {
	if p.Scan != nil && p.Scan.With == "" && len(kinds.Scanners) > 0 {
		p.Scan.With = kinds.Scanners[0].Kind
	}
	if p.Model != nil && p.Model.Registry == "" && len(kinds.ModelRegistries) > 0 {
		p.Model.Registry = kinds.ModelRegistries[0].Kind
	}
}

// decodeOptionalStep decodes a top-level section that switches a step on.
func (d *decoder) decodeOptionalStep(p pair) bool {
	s, ok := d.kinds.OptionalStep(p.name)
	if !ok {
		return false
	}
	section := s.Section.New()
	d.decodeValue(reflect.ValueOf(section).Elem(), p.value, p.name, constraints{})
	raw, err := json.Marshal(section)
	if err != nil {
		d.addErrorAt(p.position, "", "%s: %v", p.name, err)
	}
	d.sections = append(d.sections, decodedSection{p.name, s.Section, section})
	d.project.Steps = append(d.project.Steps, OptionalStep{
		Kind: s.Kind, Params: raw, Stage: s.Stage, Timeout: s.Timeout, Cacheable: s.Cacheable, Reason: s.Reason,
	})
	return true
}

// keysAt are the keys that may stand at path, for suggestions.
func (d *decoder) keysAt(path string, fields map[string]field) []string {
	keys := keysOf(fields)
	if path != "" {
		return keys
	}
	for _, s := range d.kinds.Steps {
		if s.Section.New != nil {
			keys = append(keys, string(s.Kind))
		}
	}
	return keys
}

// kindsIn lists the kinds of a list that a field's tag names, with their
// descriptions.
func kindsIn(kinds extension.Set, list string) (names, descriptions []string) {
	switch list {
	case "scanners":
		for _, s := range kinds.Scanners {
			names, descriptions = append(names, string(s.Kind)), append(descriptions, s.Description)
		}
	case "model registries":
		for _, r := range kinds.ModelRegistries {
			names, descriptions = append(names, string(r.Kind)), append(descriptions, r.Description)
		}
	}
	return names, descriptions
}
