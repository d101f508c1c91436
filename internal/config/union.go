package config

import (
	"encoding/json"
	"errors"
	"reflect"
	"slices"

	"github.com/goccy/go-yaml/ast"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/extension"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/step"
)

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

// decodeUnion decodes the types that hold one of several kinds.
func (d *decoder) decodeUnion(v reflect.Value, n ast.Node, path string) bool {
	switch v.Interface().(type) {
	case Target:
		if kind, section := d.decodeKeyed(n, path, targetChoices(d.kinds)); section != nil {
			v.Set(reflect.ValueOf(d.newTarget(kind, section, path)))
		}
	case Runner:
		if kind, section := d.decodeKeyed(n, path, runnerChoices(d.kinds)); section != nil {
			v.Set(reflect.ValueOf(d.newRunner(kind, section, path)))
		}
	case Registry:
		v.Set(reflect.ValueOf(d.decodeRegistry(n, path)))
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

// decodeRegistry decodes KIND, for kinds that have no section, or {KIND: {section}}.
func (d *decoder) decodeRegistry(n ast.Node, path string) Registry {
	words, keyed := registryWords(d.kinds), registryChoices(d.kinds)
	if isMapping(n) {
		kind, section := d.decodeKeyed(n, path, keyed)
		return Registry{kind, section}
	}
	text, ok := d.text(n, path, "a model registry")
	if !ok {
		return Registry{}
	}
	if c, ok := keyed.named(text); ok {
		d.addError(path, "such as registry: {"+c.example+"}", "%s%s needs settings", prefix(path), text)
	} else if !slices.Contains(words, text) {
		d.addError(path, suggest(text, append(words, keyed.kinds()...)), "%sinvalid value %q", prefix(path), text)
	}
	return Registry{Kind: extension.Kind(text)}
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

func (d *decoder) newRunner(kind extension.Kind, section any, path string) Runner {
	r, err := d.kinds.JobRunner(kind)
	raw, marshalErr := json.Marshal(section)
	if err = errors.Join(err, marshalErr); err != nil {
		d.addError(path, "", "%s%v", prefix(path), err)
	}
	runner := Runner{Kind: kind, Section: section, Remote: r.Remote, Priced: r.PriceKey, Params: step.RunnerParams{Kind: string(kind), Section: raw, Remote: r.Remote}}
	if r.Rates != nil {
		runner.Rates = r.Rates(section)
	}
	return runner
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
	if p.Model != nil && p.Model.Registry.Kind == "" && len(kinds.ModelRegistries) > 0 {
		p.Model.Registry.Kind = kinds.ModelRegistries[0].Kind
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
