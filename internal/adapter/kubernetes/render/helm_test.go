package render_test

import (
	"strings"
	"testing"
)

// TestRender_HelmDependencies switches the charts below by tags and conditions.
func TestRender_HelmDependencies(t *testing.T) {
	for name, c := range map[string]struct {
		dependency, values string
		there              bool
	}{
		"plain":               {"", "", true},
		"condition":           {"condition: 'db.use'", "db: {use: false}", false},
		"missing condition":   {"condition: 'db.use'", "", true},
		"second condition":    {"condition: 'x.y, db.use'", "db: {use: false}", false},
		"condition's sort":    {"condition: 'db.use'", "db: {use: maybe}", true},
		"tag":                 {"tags: [a, b]", "tags: {a: false}", false},
		"one tag is on":       {"tags: [a, b]", "tags: {a: false, b: true}", true},
		"unknown tag":         {"tags: [a]", "tags: {z: false}", true},
		"condition over tags": {"tags: [a], condition: 'db.use'", "{tags: {a: false}, db: {use: true}}", true},
		"not in the list":     {"-", "", true},
	} {
		t.Run(name, func(t *testing.T) {
			parent := chartYAML
			if c.dependency != "-" {
				parent += "dependencies: [{name: db, version: 0.1.0, " + c.dependency + "}]"
			}
			m := manifests(writeCheckout(t, map[string]string{
				"c/Chart.yaml": parent, "c/values.yaml": c.values, "c/templates/a.yaml": deploymentYAML(""), "c/.helmignore": "*.bad\n", "c/templates/x.bad": "{{",
				"c/charts/db/Chart.yaml": "apiVersion: v2\nname: db\nversion: 0.1.0\n", "c/charts/db/templates/b.yaml": strings.Replace(configMapHead, "name: a", "name: db", 1),
			}), "c")
			if got := mustRender(t, m).Objects; strings.Contains(got, `"kind":"ConfigMap"`) != c.there {
				t.Errorf("the chart below is there: %v", !c.there)
			}
		})
	}
}
