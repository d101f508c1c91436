package config

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"

	"github.com/invopop/jsonschema"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/extension"
)

// SchemaID names the schema; editors find it by the first line of slipway.yaml.
const SchemaID = "https://slipway-cd.github.io/slipway/slipway.schema.json"

// Schema is the JSON Schema of slipway.yaml, for editors, made from the types
// that read the file and the sections of all kinds.
func Schema(kinds extension.Set) ([]byte, error) {
	g := generator{kinds: kinds}
	g.root = g.reflect(Project{}, nil)
	g.root.ID, g.root.Title, g.root.Version = SchemaID, FileName, jsonschema.Version
	g.addKeyed("Target", targetChoices(kinds))
	g.addKeyed("Runner", runnerChoices(kinds))
	g.addInline("Notify", Notify{}, notifierChoices(kinds))
	g.addInline("Build", Build{}, builderChoices(kinds))
	g.addOptionalSteps()
	g.addKinds("Scan", "with", "scanners", true)
	g.addKinds("Scan", "also", "scanners", false)
	g.addRegistry()
	g.addPatterns()
	g.allowBool("EnvironmentTrain")
	for name, keys := range map[string][]string{"Smoke": {"get", "post", "put", "model_opened"}, "Evaluate": {"run", "from"}, "Environment": {"target", "until"}} {
		requireOneOf(g.root.Definitions[name], keys)
	}
	pythonKeys(g.root.Definitions["Python"])
	if g.err != nil {
		return nil, g.err
	}
	raw, err := json.MarshalIndent(g.root, "", "  ")
	return append(raw, '\n'), err
}

// generator builds the schema of one set of kinds.
type generator struct {
	kinds extension.Set
	root  *jsonschema.Schema
	err   error // the first one
}

// reflect is the schema of a struct. Its definitions are added to the root's;
// union, if any, is expanded although it is one.
func (g *generator) reflect(v any, union reflect.Type) *jsonschema.Schema {
	r := jsonschema.Reflector{
		FieldNameTag: "yaml", RequiredFromJSONSchemaTags: true, ExpandedStruct: true, Anonymous: true,
		Namer: nameOf,
		Mapper: func(t reflect.Type) *jsonschema.Schema {
			if t == union {
				return nil
			}
			return schemaOf(t)
		},
	}
	s := r.Reflect(v)
	s.Version, s.ID = "", ""
	if g.root == nil {
		return s
	}
	for name, def := range s.Definitions {
		if _, ok := g.root.Definitions[name]; !ok {
			g.root.Definitions[name] = def
		}
	}
	s.Definitions = nil
	return s
}

// nameOf names the definition of a type. Two packages have a type Environment.
func nameOf(t reflect.Type) string {
	if t == reflect.TypeFor[delivery.Environment]() {
		return "EnvironmentName"
	}
	return t.Name()
}

// schemaOf describes the types that have a notation of their own, such as
// durations.
func schemaOf(t reflect.Type) *jsonschema.Schema {
	one := uint64(1)
	switch t {
	case reflect.TypeFor[delivery.Duration]():
		return &jsonschema.Schema{Type: "string", Pattern: `^(0|([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+)$`, Examples: []any{"500ms", "30s", "5m", "1h30m"}}
	case reflect.TypeFor[Size]():
		return &jsonschema.Schema{OneOf: []*jsonschema.Schema{
			{Type: "string", Pattern: sizePattern.String()}, {Type: "integer", Minimum: "0"},
		}, Examples: []any{"512Mi", "2Gi"}}
	case reflect.TypeFor[StringList]():
		name := &jsonschema.Schema{Type: "string", MinLength: &one}
		return &jsonschema.Schema{OneOf: []*jsonschema.Schema{name, {Type: "array", Items: name}}, Examples: []any{"main"}}
	case reflect.TypeFor[delivery.Environment]():
		return &jsonschema.Schema{Type: "string", Pattern: delivery.LabelPattern}
	case reflect.TypeFor[Secret]():
		return &jsonschema.Schema{Type: "string", Pattern: `^\$\{[A-Za-z_][A-Za-z0-9_]*\}$`, Examples: []any{"${NAME}"}}
	case reflect.TypeFor[Target](), reflect.TypeFor[Runner](), reflect.TypeFor[Registry](), reflect.TypeFor[Notify](), reflect.TypeFor[Build]():
		return &jsonschema.Schema{Ref: definition(t.Name())}
	}
	return nil
}

func definition(name string) string { return "#/$defs/" + name }

// addKeyed defines {KIND: {section}}.
func (g *generator) addKeyed(name string, all choices) {
	def := object()
	for _, c := range all {
		section := strings.ToUpper(string(c.kind[:1])) + string(c.kind[1:])
		if name != "Target" {
			section += name
		}
		g.define(section, g.section(c.section))
		def.Properties.Set(string(c.kind), &jsonschema.Schema{Ref: definition(section), Description: c.description})
	}
	requireOneOf(def, all.kinds())
	g.define(name, def)
}

// addRegistry defines KIND or {KIND: {section}}.
func (g *generator) addRegistry() {
	const keyed = "RegistrySettings"
	var words []any
	about := ""
	for _, r := range g.kinds.ModelRegistries {
		if r.Section.New == nil {
			words = append(words, r.Kind)
			about = string(r.Kind) + " (default): " + r.Description
		}
	}
	word := &jsonschema.Schema{Type: "string", Enum: words, Description: about}
	if len(registryChoices(g.kinds)) == 0 {
		g.define("Registry", word)
		return
	}
	g.addKeyed(keyed, registryChoices(g.kinds))
	g.define("Registry", &jsonschema.Schema{OneOf: []*jsonschema.Schema{word, {Ref: definition(keyed)}}})
}

// addInline defines {KIND: ..., more keys of its section, shared keys}.
func (g *generator) addInline(name string, shared any, all choices) {
	def := object()
	for _, c := range all {
		section := g.section(c.section)
		for p := section.Properties.Oldest(); p != nil; p = p.Next() {
			def.Properties.Set(p.Key, p.Value)
		}
	}
	own := g.reflect(shared, reflect.TypeOf(shared))
	for p := own.Properties.Oldest(); p != nil; p = p.Next() {
		def.Properties.Set(p.Key, p.Value)
	}
	requireOneOf(def, all.kinds())
	g.define(name, def)
}

func (g *generator) addOptionalSteps() {
	for _, s := range g.kinds.Steps {
		if s.Section.New == nil {
			continue
		}
		name := "Step" + strings.ToUpper(string(s.Kind[:1])) + string(s.Kind[1:])
		g.define(name, g.section(s.Section))
		g.root.Properties.Set(string(s.Kind), &jsonschema.Schema{Ref: definition(name), Description: s.Description})
	}
}

func (g *generator) section(s extension.Section) *jsonschema.Schema {
	out := g.reflect(s.New(), nil)
	for key, pattern := range s.Patterns {
		if p, ok := out.Properties.Get(key); ok {
			p.Pattern = pattern
		} else {
			g.fail("section has no property %s", key)
		}
	}
	return out
}

// addKinds lists the kinds that a property names, of which the first may be the default.
func (g *generator) addKinds(name, key, list string, hasDefault bool) {
	p, ok := g.property(property{name, key})
	if !ok {
		return
	}
	kinds, descriptions := kindsIn(g.kinds, list)
	var about []string
	for i, kind := range kinds {
		p.Enum = append(p.Enum, kind)
		text := kind + " (" + descriptions[i] + ")"
		if i == 0 && hasDefault {
			text = kind + " (default; " + descriptions[i] + ")"
		}
		about = append(about, text)
	}
	p.Description = strings.TrimSuffix(p.Description, ".") + ": " + strings.Join(about, ", ") + "."
}

func (g *generator) addPatterns() {
	for at, apply := range patterns(g.kinds) {
		if p, ok := g.property(at); ok {
			apply(p)
		}
	}
}

// allowBool lets a definition be true or false as well.
func (g *generator) allowBool(name string) {
	def, ok := g.root.Definitions[name]
	if !ok {
		g.fail("definition %s not found", name)
		return
	}
	g.define(name, &jsonschema.Schema{OneOf: []*jsonschema.Schema{{Type: "boolean"}, def}})
}

func (g *generator) define(name string, def *jsonschema.Schema) { g.root.Definitions[name] = def }

func (g *generator) property(at property) (*jsonschema.Schema, bool) {
	def := g.root
	if at.def != "" {
		def = g.root.Definitions[at.def]
	}
	if def == nil || def.Properties == nil {
		g.fail("definition %s not found", at.def)
		return nil, false
	}
	p, ok := def.Properties.Get(at.key)
	if !ok {
		g.fail("%s has no property %s", at.def, at.key)
	}
	return p, ok
}

func (g *generator) fail(format string, args ...any) {
	if g.err == nil {
		g.err = fmt.Errorf("generate the schema: "+format, args...)
	}
}

func object() *jsonschema.Schema {
	return &jsonschema.Schema{Type: "object", Properties: jsonschema.NewProperties(), AdditionalProperties: jsonschema.FalseSchema}
}

// requireOneOf demands exactly one of the keys.
func requireOneOf(def *jsonschema.Schema, keys []string) {
	for _, key := range keys {
		def.OneOf = append(def.OneOf, &jsonschema.Schema{Required: []string{key}})
	}
}

// pythonKeys demands a file, packages, or both, but not two files.
func pythonKeys(def *jsonschema.Schema) {
	for _, key := range []string{"requirements", "lock", "packages"} {
		def.AnyOf = append(def.AnyOf, &jsonschema.Schema{Required: []string{key}})
	}
	def.Not = &jsonschema.Schema{Required: []string{"requirements", "lock"}}
}
