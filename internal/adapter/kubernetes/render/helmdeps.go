package render

import (
	"path"
	"strings"

	"helm.sh/helm/v4/pkg/chart/common"
	chart "helm.sh/helm/v4/pkg/chart/v2"

	"github.com/slipway-cd/slipway/internal/fault"
)

// depend leaves out the charts below that tags and conditions switch off, and
// gives those with an alias their name. all are the values of the whole, scoped
// those that c sees.
func depend(dir string, c *chart.Chart, all, scoped common.Values) error {
	var kept []*chart.Chart
	listed := map[string]bool{}
	for _, d := range c.Metadata.Dependencies {
		if d == nil {
			continue
		}
		listed[d.Name] = true
		if len(d.ImportValues) > 0 {
			return fault.New(fault.Invalid, "dependency %s of the chart has import-values, which is not supported", d.Name).
				Location(path.Join(dir, withoutChartName(c.ChartFullPath()), "Chart.yaml")).Hint("write the values under the parent's own names")
		}
		if have := named(c, d.Name); have != nil && enabled(d, all, scoped) {
			kept = append(kept, aliased(have, d.Alias))
		}
	}
	for _, have := range c.Dependencies() {
		if !listed[have.Name()] {
			kept = append(kept, have)
		}
	}
	c.SetDependencies()
	c.AddDependency(kept...)
	for _, k := range kept {
		below, err := scoped.Table(k.Name())
		if err != nil {
			below = common.Values{}
		}
		if err := depend(dir, k, all, below); err != nil {
			return err
		}
	}
	return nil
}

func named(c *chart.Chart, name string) *chart.Chart {
	for _, have := range c.Dependencies() {
		if have.Name() == name {
			return have
		}
	}
	return nil
}

// aliased is a copy, as one chart can be there under several names.
func aliased(c *chart.Chart, alias string) *chart.Chart {
	out := *c
	meta := *c.Metadata
	out.Metadata = &meta
	if alias != "" {
		meta.Name = alias
	}
	below := c.Dependencies()
	out.SetDependencies()
	for _, b := range below {
		out.AddDependency(aliased(b, ""))
	}
	return &out
}

// enabled goes by the first condition that is there, else by the tags: one that
// is on is enough.
func enabled(d *chart.Dependency, all, scoped common.Values) bool {
	for _, at := range strings.Split(d.Condition, ",") {
		if at = strings.TrimSpace(at); at == "" {
			continue
		}
		if v, err := scoped.PathValue(at); err == nil {
			if on, ok := v.(bool); ok {
				return on
			}
		}
	}
	tags, err := all.Table("tags")
	if err != nil {
		return true
	}
	off := false
	for _, t := range d.Tags {
		on, ok := tags[t].(bool)
		if ok && on {
			return true
		}
		off = off || ok
	}
	return !off
}
