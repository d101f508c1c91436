package config

import (
	"reflect"
	"slices"
	"strings"

	"github.com/invopop/jsonschema"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/extension"
)

// property is a property of a type.
type property struct{ def, key string }

// patterns are the demands that the tags can't hold.
func patterns(kinds extension.Set) map[property]func(*jsonschema.Schema) {
	events, _ := reflect.TypeFor[Notify]().FieldByName("Events")
	return map[property]func(*jsonschema.Schema){
		{"", "service"}:                patternOf(delivery.LabelPattern),
		{"", "environments"}:           environmentNames,
		{"Test", "name"}:               patternOf(delivery.TestNamePattern),
		{"Test", "run"}:                patternOf(`\S`),
		{"Train", "run"}:               patternOf(`\S`),
		{"Evaluate", "run"}:            patternOf(`\S`),
		{"Image", "repository"}:        patternOf(repositoryPattern),
		{"Image", "tags"}:              patternOfItems(tagPattern),
		{"AWS", "account"}:             patternOf(accountPattern),
		{"AWS", "region"}:              patternOf(regionPattern),
		{"AWS", "principals"}:          patternOfItems(principalPattern),
		{"AWS", "service_account"}:     patternOf(delivery.LabelPattern),
		{"GitHub", "repository"}:       patternOf(githubPattern),
		{"GitHub", "id"}:               patternOf(numberPattern),
		{"GitHub", "owner_id"}:         patternOf(numberPattern),
		{"OIDC", "issuer"}:             patternOf(issuerPattern),
		{"OIDC", "audience"}:           patternOf(audiencePattern),
		{"OIDC", "subjects"}:           patternOfItems(subjectPattern),
		{"EnvironmentAWS", "account"}:  patternOf(accountPattern),
		{"EnvironmentAWS", "region"}:   patternOf(regionPattern),
		{"EnvironmentAWS", "role"}:     patternOf(rolePattern),
		{"Model", "group"}:             patternOf(groupPattern),
		{"Deploy", "health"}:           patternOf(httpPathPattern),
		{"Deploy", "ready"}:            patternOf(httpPathPattern),
		{"Environment", "until"}:       patternOf(`^(test\.)?[a-z0-9][a-z0-9_-]*$`),
		{"Python", "version"}:          patternOf(pythonPattern),
		{"Python", "packages"}:         patternOfItems(packagePattern),
		{"Smoke", "name"}:              patternOf(`\S`),
		{"Smoke", "get"}:               patternOf(httpPathPattern),
		{"Smoke", "post"}:              patternOf(httpPathPattern),
		{"Smoke", "put"}:               patternOf(httpPathPattern),
		{"Smoke", "model_opened"}:      onlyTrue,
		{"State", "url"}:               orURL(kinds),
		{"", "state"}:                  orURL(kinds),
		{"Deploy", "smoke"}:            orModelOpened,
		{"EnvironmentDeploy", "smoke"}: orModelOpened,
		{"Scan", "fail_on"}:            itemsOf(severities()),
		{"Waiver", "id"}:               patternOf(vulnerabilityPattern),
		{"Waiver", "until"}:            patternOf(datePattern),
		{"Waiver", "why"}:              patternOf(`\S`),
		{"Notify", "events"}:           itemsOf(parseConstraints(events.Tag.Get("jsonschema")).enum),
	}
}

func onlyTrue(s *jsonschema.Schema) { s.Const = true }

// orModelOpened allows {model_opened: true} in place of a list of checks.
func orModelOpened(s *jsonschema.Schema) {
	short := object()
	short.Properties.Set("model_opened", &jsonschema.Schema{Type: "boolean", Const: true})
	short.Required = []string{"model_opened"}
	s.OneOf = []*jsonschema.Schema{{Type: s.Type, Items: s.Items}, short}
	s.Type, s.Items = "", nil
}

// orURL allows the URL of a state in place of its section, and in both only URLs of
// known schemes without a password, paths, and what variables make.
func orURL(kinds extension.Set) func(*jsonschema.Schema) {
	var schemes []string
	for _, store := range kinds.StateStores {
		schemes = append(schemes, store.Schemes...)
	}
	known := strings.Join(slices.DeleteFunc(schemes, func(s string) bool { return s == "" }), "|")
	pattern := `^([^:]+|.*\$\{.*|(` + known + `)://([^/@:]*@)?[^/@]*/?[^@]*)$`
	return func(s *jsonschema.Schema) {
		if s.Type == "string" {
			s.Pattern = pattern
			return
		}
		section := &jsonschema.Schema{Ref: s.Ref}
		s.OneOf = []*jsonschema.Schema{{Type: "string", Pattern: pattern}, section}
		s.Ref = ""
	}
}

func severities() []string {
	field, _ := reflect.TypeFor[Scan]().FieldByName("FailOn")
	return parseConstraints(field.Tag.Get("jsonschema")).enum
}

func patternOf(pattern string) func(*jsonschema.Schema) {
	return func(s *jsonschema.Schema) { s.Pattern = pattern }
}

func patternOfItems(pattern string) func(*jsonschema.Schema) {
	return func(s *jsonschema.Schema) { s.Items = &jsonschema.Schema{Type: "string", Pattern: pattern} }
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
	s.PropertyNames = &jsonschema.Schema{Pattern: delivery.LabelPattern}
}
