package config

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"text/template"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/extension"
)

// ability is a part of the file that only some targets read.
type ability struct {
	keys []string
	of   func(extension.Abilities) bool
}

func abilities() []ability {
	return []ability{
		{[]string{"deploy.manifests", "deploy.values"}, func(a extension.Abilities) bool { return a.Manifests }},
		{[]string{"deploy.strategy"}, func(a extension.Abilities) bool { return a.Strategies }},
		{[]string{"deploy.canary"}, func(a extension.Abilities) bool { return a.Canary }},
		{[]string{"model.deliver"}, func(a extension.Abilities) bool { return a.ModelImages }},
	}
}

// validateAbilities refuses keys that no environment's target reads: they would
// be ignored without a word.
func (d *decoder) validateAbilities(p *Project) {
	for _, a := range abilities() {
		if slices.ContainsFunc(slices.Collect(maps.Values(p.Environments)), func(e Environment) bool { return a.of(e.Target.Abilities) }) {
			continue
		}
		var able []string
		for _, t := range d.kinds.Targets {
			if a.of(t.Abilities) {
				able = append(able, string(t.Kind))
			}
		}
		for _, key := range a.keys {
			if _, ok := d.positions[key]; ok {
				d.addError(key, fmt.Sprintf("remove it, or set target: {%s: ...} in an environment", strings.Join(able, " or ")),
					"%s: only used by %s targets, and no environment has one", key, strings.Join(able, " and "))
			}
		}
	}
}

func (d *decoder) validateManifests(p Deploy) {
	for key, paths := range map[string][]string{"deploy.manifests": p.Manifests, "deploy.values": p.Values} {
		d.validateManifestPaths(key, paths)
	}
	if len(p.Values) > 0 && len(p.Manifests) == 0 {
		d.addError("deploy.values", "add the chart's folder to deploy.manifests", "deploy.values: requires a Helm chart in deploy.manifests")
	}
}

func (d *decoder) validateManifestPaths(key string, paths []string) {
	for i, path := range paths {
		at := fmt.Sprintf("%s[%d]", key, i)
		if strings.TrimSpace(path) == "" {
			d.addError(at, "such as k8s/", "%s is empty", at)
			continue
		}
		d.validatePath(at, path)
	}
}

func (d *decoder) validateCanary(p Deploy) {
	c := p.Canary
	switch {
	case p.Strategy == delivery.Canary && c == nil:
		d.addError("deploy.strategy", "such as canary: {steps: [{weight: 10, bake: 1m}, {weight: 50, bake: 1m}]}", "deploy.strategy: canary requires deploy.canary")
		return
	case c == nil:
		return
	case p.Strategy != delivery.Canary:
		d.addError("deploy.canary", "add strategy: canary, or remove it", "deploy.canary: only used with strategy: canary")
	}
	for i := range c.Steps {
		if i > 0 && c.Steps[i].Weight <= c.Steps[i-1].Weight {
			at := fmt.Sprintf("deploy.canary.steps[%d].weight", i)
			d.addError(at, "weights must increase from step to step", "%s: %d is not greater than the previous weight", at, c.Steps[i].Weight)
		}
	}
	if u, err := url.Parse(c.Prometheus); c.Prometheus != "" && (err != nil || u.Host == "" || u.User != nil || u.Scheme != "http" && u.Scheme != "https") {
		d.addError("deploy.canary.prometheus", "such as http://prometheus.monitoring:9090, without credentials", "deploy.canary.prometheus: not an http(s) URL")
	}
	if len(c.Queries) > 0 && c.Prometheus == "" {
		d.addError("deploy.canary.queries", "add prometheus: http://...", "deploy.canary.queries: requires deploy.canary.prometheus")
	}
	for i, q := range c.Queries {
		d.validateQuery(fmt.Sprintf("deploy.canary.queries[%d]", i), q)
	}
}

// queryFields are what a query may name.
func queryFields() []string {
	return []string{"Environment", "Namespace", "Release", "Running", "Service"}
}

func (d *decoder) validateQuery(at string, q Query) {
	if q.Min == nil && q.Max == nil {
		d.addError(at, "add max: 0.01, for example", "%s: set min, max or both", at)
	}
	fields := map[string]string{}
	for _, name := range queryFields() {
		fields[name] = ""
	}
	t, err := template.New("query").Option("missingkey=error").Parse(q.Query)
	if err == nil {
		err = t.Execute(new(strings.Builder), fields)
	}
	if err != nil {
		d.addError(at+".query", fieldsHint(queryFields()), "%s.query: %v", at, err)
	}
}
