package config

import (
	"encoding/json"
	"fmt"
	"reflect"

	"github.com/invopop/jsonschema"

	"github.com/slipway-cd/slipway/internal/delivery"
)

// SchemaID names the schema; editors find it by the first line of slipway.yaml.
const SchemaID = "https://slipway-cd.github.io/slipway/slipway.schema.json"

// Schema is the JSON Schema of slipway.yaml, for editors, made from the types
// that read the file.
func Schema() ([]byte, error) {
	r := jsonschema.Reflector{
		FieldNameTag: "yaml", RequiredFromJSONSchemaTags: true, ExpandedStruct: true, Anonymous: true, Mapper: schemaOf,
	}
	s := r.Reflect(Project{})
	s.ID, s.Title = SchemaID, FileName
	for at, p := range patterns() {
		def := s
		if at.def != "" {
			def = s.Definitions[at.def]
		}
		if def == nil || def.Properties == nil {
			return nil, fmt.Errorf("generate the schema: definition %s not found", at.def)
		}
		prop, ok := def.Properties.Get(at.key)
		if !ok {
			return nil, fmt.Errorf("generate the schema: %s has no property %s", at.def, at.key)
		}
		p(prop)
	}
	// Types of which exactly one key has to be there.
	for name, keys := range map[string][]string{"Smoke": {"get", "post", "put"}, "Notify": {"webhook", "chat"}, "Target": {"local", "kubernetes"}, "Build": {"go", "dockerfile"}, "Python": {"requirements", "lock"}} {
		for _, key := range keys {
			def := s.Definitions[name]
			def.OneOf = append(def.OneOf, &jsonschema.Schema{Required: []string{key}})
		}
	}
	raw, err := json.MarshalIndent(s, "", "  ")
	return append(raw, '\n'), err
}

// schemaOf describes the types that have a form of their own.
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
	case reflect.TypeFor[Secret]():
		return &jsonschema.Schema{Type: "string", Pattern: `^\$\{[A-Za-z_][A-Za-z0-9_]*\}$`, Examples: []any{"${NAME}"}}
	}
	return nil
}

// property is a property of a type.
type property struct{ def, key string }

// patterns are the demands that the tags can't hold.
func patterns() map[property]func(*jsonschema.Schema) {
	events, _ := reflect.TypeFor[Notify]().FieldByName("Events")
	return map[property]func(*jsonschema.Schema){
		{"", "service"}:         patternOf(namePattern),
		{"", "environments"}:    environmentNames,
		{"Test", "name"}:        patternOf(stepPattern),
		{"Test", "run"}:         patternOf(`\S`),
		{"Train", "run"}:        patternOf(`\S`),
		{"Evaluate", "run"}:     patternOf(`\S`),
		{"Image", "repository"}: patternOf(repositoryPattern),
		{"Model", "group"}:      patternOf(groupPattern),
		{"Build", "dockerfile"}: patternOf(`[^/]$`),
		{"Build", "target"}:     patternOf(stagePattern),
		{"Build", "cache"}:      patternOf(cachePattern),
		{"Deploy", "health"}:    patternOf(httpPathPattern),
		{"Deploy", "ready"}:     patternOf(httpPathPattern),
		{"Python", "version"}:   patternOf(pythonPattern),
		{"Smoke", "name"}:       patternOf(`\S`),
		{"Smoke", "get"}:        patternOf(httpPathPattern),
		{"Smoke", "post"}:       patternOf(httpPathPattern),
		{"Smoke", "put"}:        patternOf(httpPathPattern),
		{"Scan", "fail_on"}:     itemsOf(severities()),
		{"Waiver", "id"}:        patternOf(vulnerabilityPattern),
		{"Waiver", "until"}:     patternOf(datePattern),
		{"Waiver", "why"}:       patternOf(`\S`),
		{"Notify", "webhook"}:   patternOf(`^(\$\{[A-Za-z_][A-Za-z0-9_]*\}|https?://[^@?]+)$`),
		{"Notify", "events"}:    itemsOf(parseConstraints(events.Tag.Get("jsonschema")).enum),
	}
}

func severities() []string {
	field, _ := reflect.TypeFor[Scan]().FieldByName("FailOn")
	return parseConstraints(field.Tag.Get("jsonschema")).enum
}

func patternOf(pattern string) func(*jsonschema.Schema) {
	return func(s *jsonschema.Schema) { s.Pattern = pattern }
}

func itemsOf(enum []string) func(*jsonschema.Schema) {
	return func(s *jsonschema.Schema) {
		s.Enum = nil
		s.Items = &jsonschema.Schema{Type: "string"}
		for _, e := range enum {
			s.Items.Enum = append(s.Items.Enum, e)
		}
	}
}

func environmentNames(s *jsonschema.Schema) {
	one := uint64(1)
	s.MinProperties = &one
	s.PropertyNames = &jsonschema.Schema{Pattern: namePattern}
}
