package config

import (
	"fmt"
	"net/url"
	"strings"
	"text/template"

	"github.com/slipway-cd/slipway/internal/delivery"
)

// contextPattern is the form of a kubeconfig's context: they hold ARNs and paths.
const (
	contextPattern      = `^[^\s\x00-\x1f]+$`
	registryHostPattern = `^(\[[0-9a-fA-F:]+\]|[a-zA-Z0-9][a-zA-Z0-9.-]*):[0-9]{1,5}$`
)

// validateTarget checks that an environment has one place, and one that can be.
func (d *decoder) validateTarget(at string, t Target, repository string) {
	if (t.Local == nil) == (t.Kubernetes == nil) {
		d.addError(at, "such as local: {} or kubernetes: {context: ..., namespace: ...}", "%s: set exactly one of local or kubernetes", at)
		return
	}
	k := t.Kubernetes
	if k == nil {
		return
	}
	at += ".kubernetes"
	if k.Namespace != "" {
		d.matchPattern(at+".namespace", k.Namespace, namePattern, "lower-case letters, digits and dashes, at most 63")
	}
	if k.Context != "" && !matches(contextPattern, k.Context) {
		d.addError(at+".context", "see `kubectl config get-contexts`", "%s.context: invalid value %q", at, k.Context)
	}
	if k.Registry != "" && !matches(registryHostPattern, k.Registry) {
		d.addError(at+".registry", "such as 127.0.0.1:5000", "%s.registry: invalid address %q (want HOST:PORT)", at, k.Registry)
	}
	if inside := !strings.ContainsAny(strings.SplitN(repository, "/", 2)[0], ".:"); inside && k.Registry == "" {
		d.addError(at, "add a registry host to image.repository, or set registry: HOST:PORT to the address where the nodes reach `slipway registry`",
			"%s: the cluster cannot pull %q from Slipway's embedded registry", at, repository)
	}
}

// validateKubernetesOnly checks what only Kubernetes reads. Where no environment is there, it
// would be ignored, and nobody would know.
func (d *decoder) validateKubernetesOnly(p *Project) {
	d.validateManifests(p.Deploy)
	d.validateCanary(p.Deploy)
	for _, e := range p.Environments {
		if e.Target.Kubernetes != nil {
			return
		}
	}
	for _, key := range []string{"deploy.manifests", "deploy.values", "deploy.strategy", "deploy.canary", "model.deliver"} {
		if _, there := d.positions[key]; there {
			d.addError(key, "remove it, or set target: {kubernetes: ...} in an environment", "%s: only used by Kubernetes targets, and no environment has one", key)
		}
	}
}

func (d *decoder) validateManifests(p Deploy) {
	for key, paths := range map[string][]string{"deploy.manifests": p.Manifests, "deploy.values": p.Values} {
		for i, path := range paths {
			at := fmt.Sprintf("%s[%d]", key, i)
			if strings.TrimSpace(path) == "" {
				d.addError(at, "such as k8s/", "%s is empty", at)
				continue
			}
			d.validatePath(at, path)
		}
	}
	if len(p.Values) > 0 && len(p.Manifests) == 0 {
		d.addError("deploy.values", "add the chart's folder to deploy.manifests", "deploy.values: requires a Helm chart in deploy.manifests")
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
