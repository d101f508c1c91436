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

// checkSchemaRefs rejects values schemas that refer to another document: validation
// would download it, or read it from this machine.
func checkSchemaRefs(dir string, c *chart.Chart) error {
	location := path.Join(dir, withoutChartName(c.ChartFullPath()), "values.schema.json")
	if len(c.Schema) > 0 {
		var schema any
		if err := json.Unmarshal(c.Schema, &schema); err != nil {
			return fault.New(fault.Invalid, "the schema of the values can't be read").Location(formatPosition(location, c.Schema, errorOffset(err, len(c.Schema))))
		}
		if hasExternalRef(schema) {
			return fault.New(fault.Invalid, "the schema of the values refers to another document").Location(location).
				Hint("only references within the schema (#/...) are followed: copy the rest into it")
		}
	}
	for _, d := range c.Dependencies() {
		if err := checkSchemaRefs(dir, d); err != nil {
			return err
		}
	}
	return nil
}

var metaSchemaPattern = regexp.MustCompile(`^https?://json-schema\.org/`)

func hasExternalRef(schema any) bool {
	switch s := schema.(type) {
	case []any:
		return slices.ContainsFunc(s, hasExternalRef)
	case map[string]any:
		for k, v := range s {
			text, _ := v.(string)
			switch k {
			case "$ref", "$dynamicRef", "$recursiveRef":
				if text != "" && !strings.HasPrefix(text, "#") {
					return true
				}
			case "$schema":
				if text != "" && !metaSchemaPattern.MatchString(text) {
					return true
				}
			}
			if hasExternalRef(v) {
				return true
			}
		}
	}
	return false
}

var schemaLocationPattern = regexp.MustCompile(`at '(/[^']*)'`)

// validateValues validates the values against the chart's schemas. The validator's
// message quotes values, so only the locations are taken from it.
func validateValues(dir string, c *chart.Chart, all common.Values) error {
	values, err := all.Table("Values")
	if err != nil {
		return nil //nolint:nilerr // no values to validate
	}
	err = util.ValidateAgainstSchema(c, values)
	if err == nil {
		return nil
	}
	f := fault.New(fault.Invalid, "the values do not match the chart's schema").Location(path.Join(dir, "values.schema.json"))
	var locations []string
	for _, match := range schemaLocationPattern.FindAllStringSubmatch(err.Error(), -1) {
		locations = append(locations, match[1])
	}
	if len(locations) == 0 {
		return f.Hint("run `helm lint %s` with the same values for details", dir)
	}
	return f.Hint("check %s; run `helm lint %s` with the same values for details", strings.Join(dedupe(locations), ", "), dir)
}

// checkTypeConflicts rejects values that are a map in one place and not in another.
// Helm would use one of the two and write the other to its log.
func checkTypeConflicts(dir string, c *chart.Chart, values map[string]any) error {
	if conflict := typeConflict(values, c.Values, ""); conflict != "" {
		return fault.New(fault.Invalid, "value %s is a map in only one of the chart and the values files", conflict).
			Location(path.Join(dir, withoutChartName(c.ChartFullPath()), "values.yaml")).Hint("give it the type that the chart's templates expect")
	}
	for _, d := range c.Dependencies() {
		for _, parent := range []map[string]any{values, c.Values} {
			scoped, _ := parent[d.Name()].(map[string]any)
			if err := checkTypeConflicts(dir, d, scoped); err != nil {
				return err
			}
		}
	}
	return nil
}

// typeConflict returns the alphabetically first key that holds a map in only one of
// the two, or "".
func typeConflict(over, under map[string]any, prefix string) string {
	for _, k := range slices.Sorted(maps.Keys(over)) {
		if over[k] == nil || under[k] == nil {
			continue
		}
		a, aMap := over[k].(map[string]any)
		b, bMap := under[k].(map[string]any)
		if aMap != bMap {
			return prefix + k
		}
		if found := typeConflict(a, b, prefix+k+"."); found != "" {
			return found
		}
	}
	return ""
}
