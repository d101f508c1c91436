package render_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Tags and conditions switch subcharts off.
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

func TestRender_HelmImportValues(t *testing.T) {
	const subchart = "exports: {shared: {LEVEL: debug}}\nserver: {env: {REGION: eu}}\n"
	for name, c := range map[string]struct {
		imports, values string
		want            map[string]string // the data of the parent's ConfigMap
	}{
		"exports":              {"[shared]", "", map[string]string{"LEVEL": "debug"}},
		"child and parent":     {"[{child: server.env, parent: settings.env}]", "settings: {env: {TIER: a}}", map[string]string{"settings.REGION": "eu", "settings.TIER": "a"}},
		"parent overrides":     {"[shared]", "LEVEL: warn", map[string]string{"LEVEL": "warn"}},
		"missing in the chart": {"[nothing]", "LEVEL: warn", map[string]string{"LEVEL": "warn"}},
		"alias":                {"[shared], alias: store", "", map[string]string{"LEVEL": "debug"}},
	} {
		t.Run(name, func(t *testing.T) {
			m := withoutModel(t, "")
			m.Paths, m.Dir = []string{"c"}, writeCheckout(t, map[string]string{
				"c/Chart.yaml":  chartYAML + "dependencies: [{name: db, version: 0.1.0, import-values: " + c.imports + "}]",
				"c/values.yaml": c.values,
				"c/templates/a.yaml": deploymentYAML("") + "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n" +
					"{{- with .Values.LEVEL }}\n  LEVEL: {{ . }}\n{{- end }}\n{{- range $k, $v := (.Values.settings).env }}\n  settings.{{ $k }}: {{ $v }}\n{{- end }}\n",
				"c/charts/db/Chart.yaml": "apiVersion: v2\nname: db\nversion: 0.1.0\n", "c/charts/db/values.yaml": subchart,
			})
			got, _, _ := unstructured.NestedStringMap(mustFind(t, mustParse(t, mustRender(t, m)), "ConfigMap", "a").Object, "data")
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("data (-want +got):\n%s", diff)
			}
		})
	}
}
