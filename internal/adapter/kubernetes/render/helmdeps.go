package render

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	chartutil "helm.sh/helm/v4/pkg/chart/v2/util"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/redact"
)

// processDependencies has Helm drop the subcharts that conditions and tags switch
// off, rename those with an alias, and import values of subcharts into their parents.
func processDependencies(dir string, c *chart.Chart, values map[string]any, redactor *redact.Redactor) error {
	trimConditions(c)
	if err := checkImports(dir, c); err != nil {
		return err
	}
	if err := chartutil.ProcessDependencies(c, common.Values(values)); err != nil {
		return fault.New(fault.Invalid, "process the chart's dependencies").Location(path.Join(dir, "Chart.yaml")).
			Cause(errors.New(truncate(redactor.Text(oneLine(err)))))
	}
	return nil
}

// trimConditions removes the spaces between the paths of a condition, which Helm
// takes for part of the path: "cache.enabled, global.cache" would ignore the second.
func trimConditions(c *chart.Chart) {
	for _, d := range c.Metadata.Dependencies {
		d.Condition = strings.ReplaceAll(d.Condition, " ", "")
	}
	for _, sub := range c.Dependencies() {
		trimConditions(sub)
	}
}

// checkImports rejects imported values that are a map where the parent's own are
// not, or vice versa. Helm would use one of the two and write the other to its log.
func checkImports(dir string, c *chart.Chart) error {
	own, err := util.CoalesceValues(c, nil)
	if err != nil {
		return nil //nolint:nilerr // Helm reports it
	}
	imported := map[string]any{}
	for _, d := range c.Metadata.Dependencies {
		for _, entry := range d.ImportValues {
			child, parent := importPaths(entry)
			table, err := own.Table(d.Name + "." + child)
			if err != nil {
				continue // Helm ignores imports that the subchart does not define
			}
			values := nest(parent, table)
			conflict := typeConflict(values, own, "")
			if conflict == "" {
				conflict = typeConflict(values, imported, "")
			}
			if conflict != "" {
				return fault.New(fault.Invalid, "value %s, imported from dependency %s, is a map in only one of the two charts", conflict, quoted(d.Name)).
					Location(path.Join(dir, withoutChartName(c.ChartFullPath()), "Chart.yaml")).Hint("import it under another name")
			}
			imported = util.MergeTables(imported, values)
		}
	}
	for _, sub := range c.Dependencies() {
		if err := checkImports(dir, sub); err != nil {
			return err
		}
	}
	return nil
}

// importPaths returns the paths that an entry of import-values imports from and to.
// A plain name imports from exports to the top level.
func importPaths(entry any) (child, parent string) {
	if m, ok := entry.(map[string]any); ok {
		return fmt.Sprint(m["child"]), fmt.Sprint(m["parent"])
	}
	return fmt.Sprint("exports.", entry), "."
}

// nest returns values nested below a dotted path.
func nest(path string, values map[string]any) map[string]any {
	if path == "." {
		return values
	}
	keys := strings.Split(path, ".")
	for i := len(keys) - 1; i >= 0; i-- {
		values = map[string]any{keys[i]: values}
	}
	return values
}
