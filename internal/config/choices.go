package config

import (
	"reflect"
	"strings"

	"github.com/slipway-cd/slipway/internal/extension"
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

// registryChoices are the model registries that have a section.
func registryChoices(kinds extension.Set) choices {
	var all choices
	for _, r := range kinds.ModelRegistries {
		if r.Section.New != nil {
			all = append(all, choice{r.Kind, r.Description, r.Example, r.Section})
		}
	}
	return all
}

// registryWords are those that have none.
func registryWords(kinds extension.Set) (words []string) {
	for _, r := range kinds.ModelRegistries {
		if r.Section.New == nil {
			words = append(words, string(r.Kind))
		}
	}
	return words
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

// keys are all that may stand in an inline value, for suggestions.
func (c choices) keys(shared map[string]field) []string {
	all := keysOf(shared)
	for _, x := range c {
		all = append(all, keysOf(fieldsOf(sectionType(x.section)))...)
	}
	return all
}

func sectionType(s extension.Section) reflect.Type { return reflect.TypeOf(s.New()).Elem() }

// kindsIn lists the kinds of a list that a field's tag names, with their
// descriptions.
func kindsIn(kinds extension.Set, list string) (names, descriptions []string) {
	switch list {
	case "scanners":
		for _, s := range kinds.Scanners {
			names, descriptions = append(names, string(s.Kind)), append(descriptions, s.Description)
		}
	}
	return names, descriptions
}
