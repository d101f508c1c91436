package render

import (
	"encoding/json"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	chart "helm.sh/helm/v4/pkg/chart/v2"

	"github.com/slipway-cd/slipway/internal/fault"
)

// closed refuses schemas of values that refer to another document: checking them
// would fetch it, or read it from this machine.
func closed(dir string, c *chart.Chart) error {
	place := path.Join(dir, below(c.ChartFullPath()), "values.schema.json")
	if len(c.Schema) > 0 {
		var schema any
		if err := json.Unmarshal(c.Schema, &schema); err != nil {
			return fault.New(fault.Invalid, "the schema of the values can't be read").Location(position(place, c.Schema, offset(err, len(c.Schema))))
		}
		if open(schema) {
			return fault.New(fault.Invalid, "the schema of the values refers to another document").Location(place).
				Hint("only references within the schema (#/...) are followed: copy the rest into it")
		}
	}
	for _, d := range c.Dependencies() {
		if err := closed(dir, d); err != nil {
			return err
		}
	}
	return nil
}

var metaSchema = regexp.MustCompile(`^https?://json-schema\.org/`)

func open(schema any) bool {
	switch s := schema.(type) {
	case []any:
		return slices.ContainsFunc(s, open)
	case map[string]any:
		for k, v := range s {
			text, _ := v.(string)
			switch k {
			case "$ref", "$dynamicRef", "$recursiveRef":
				if text != "" && !strings.HasPrefix(text, "#") {
					return true
				}
			case "$schema":
				if text != "" && !metaSchema.MatchString(text) {
					return true
				}
			}
			if open(v) {
				return true
			}
		}
	}
	return false
}

var schemaPlace = regexp.MustCompile(`at '(/[^']*)'`)

// valid checks the values against the chart's schemas. The checker's message
// quotes values, so only the places are taken from it.
func valid(dir string, c *chart.Chart, all common.Values) error {
	values, err := all.Table("Values")
	if err != nil {
		return nil //nolint:nilerr // no values: nothing to check
	}
	err = util.ValidateAgainstSchema(c, values)
	if err == nil {
		return nil
	}
	f := fault.New(fault.Invalid, "the values don't fit the chart's schema").Location(path.Join(dir, "values.schema.json"))
	var places []string
	for _, at := range schemaPlace.FindAllStringSubmatch(err.Error(), -1) {
		places = append(places, at[1])
	}
	if len(places) == 0 {
		return f.Hint("`helm lint %s` with the same values tells more", dir)
	}
	return f.Hint("look at %s: `helm lint %s` with the same values tells more", strings.Join(unique(places), ", "), dir)
}

// clash refuses values that are a map in one place and not in the other. Helm
// would go on with one of the two, and write the other into the log.
func clash(dir string, c *chart.Chart, values map[string]any) error {
	if at := clashing(values, c.Values, ""); at != "" {
		return fault.New(fault.Invalid, "value %s is a map in the chart or in the values files, and not in the other", at).
			Location(path.Join(dir, below(c.ChartFullPath()), "values.yaml")).Hint("give it the form that the chart's templates read")
	}
	for _, d := range c.Dependencies() {
		for _, above := range []map[string]any{values, c.Values} {
			scoped, _ := above[d.Name()].(map[string]any)
			if err := clash(dir, d, scoped); err != nil {
				return err
			}
		}
	}
	return nil
}

// clashing is the first name, by the alphabet, under which only one has a map.
func clashing(over, under map[string]any, at string) string {
	for _, k := range slices.Sorted(maps.Keys(over)) {
		if over[k] == nil || under[k] == nil {
			continue
		}
		a, aMap := over[k].(map[string]any)
		b, bMap := under[k].(map[string]any)
		if aMap != bMap {
			return at + k
		}
		if found := clashing(a, b, at+k+"."); found != "" {
			return found
		}
	}
	return ""
}
