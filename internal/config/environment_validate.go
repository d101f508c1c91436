package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/extension"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/step"
)

func (d *decoder) validateEnvironments(p *Project) {
	for _, name := range p.EnvironmentNames() {
		e, at := p.Environments[delivery.Environment(name)], "environments."+name
		d.matchPattern(at, name, delivery.LabelPattern, "lower-case letters, digits and dashes")
		d.validateRefs(at+".on.push", "branch", "main, or a glob such as release/*", e.On.Push)
		d.validateRefs(at+".on.tag", "tag", "v1.0, or a glob such as v*", e.On.Tag)
		d.validateRefs(at+".on.pull_request", "branch", "main, or a glob such as release/*", e.On.PullRequest)
		d.validateTrust(at+".trust", e.Trust)
		d.validateAlarms(at, p, delivery.Environment(name))
		d.validateUntil(at, p, name)
		d.validateFrom(at, p, name)
		d.validateEnvironmentDeploy(at+".deploy", p.Deploy, e)
		d.validateEnvironmentModel(at+".model", p.Model, e)
	}
}

func (d *decoder) validateRefs(at, what, example string, names StringList) {
	for i, n := range names {
		if strings.TrimSpace(n) == "" || globProblem(n) != "" {
			d.addError(fmt.Sprintf("%s[%d]", at, i), "a name such as "+example, "%s: %q is not a valid %s name or glob", at, n, what)
		}
	}
}

// rejectKeys refuses keys of an environment that would be ignored.
func (d *decoder) rejectKeys(at string, keys []string, why string) {
	for _, key := range keys {
		if here := at + "." + key; d.isSet(here) {
			d.addError(here, "remove it", "%s: %s", here, why)
		}
	}
}

func (d *decoder) isSet(path string) bool {
	_, ok := d.positions[path]
	return ok
}

// validateUntil checks an environment that deploys nothing.
func (d *decoder) validateUntil(at string, p *Project, name string) {
	e := p.Environments[delivery.Environment(name)]
	here := at + ".until"
	if !d.isSet(here) {
		return
	}
	switch allowed := stepsBeforeDeploy(p.In(delivery.Environment(name)), e); {
	case slices.Contains([]string{string(step.Deploy), string(step.Verify), string(step.Watch)}, e.Until):
		d.addError(here, "remove it, and set target", "%s: an environment with until deploys nothing", here)
		return
	case !slices.Contains(allowed, e.Until):
		d.addError(here, suggest(e.Until, allowed), "%s: step %q not found", here, e.Until)
		return
	}
	unused := []string{"target", "from", "deploy", "bake", "trust", "alarms", "alarms_from", "alarms_within"}
	if e.Until != string(step.Approve) {
		unused = append(unused, "approvals")
	}
	d.rejectKeys(at, unused, fmt.Sprintf("not used, because runs here end after %s", e.Until))
}

// stepsBeforeDeploy lists the steps that an environment's plan has before it
// deploys, in their order; test stands for all tests.
func stepsBeforeDeploy(p Project, e Environment) []string {
	var names []string
	addIf := func(present bool, kinds ...step.Kind) {
		for _, kind := range kinds {
			if present {
				names = append(names, string(kind))
			}
		}
	}
	addOptional := func(stage extension.Stage) {
		for _, s := range p.Steps {
			addIf(s.Stage == stage, s.Kind)
		}
	}
	addIf(len(p.Test) > 0, step.Test)
	for _, t := range p.Test {
		names = append(names, "test."+t.Name)
	}
	trains := p.Model != nil && p.Model.Train != nil
	addIf(true, step.Build)
	addIf(p.Scan != nil, step.Scan)
	addOptional(extension.AfterBuild)
	addIf(true, step.Push)
	addIf(trains, step.Train, step.Evaluate, step.Register)
	addIf(p.Sign != nil, step.Attest)
	addIf(trains || e.Approvals > 0, step.Approve)
	addOptional(extension.BeforeDeploy)
	return names
}

// validateFrom checks where an environment promotes from.
func (d *decoder) validateFrom(at string, p *Project, name string) {
	e := p.Environments[delivery.Environment(name)]
	here := at + ".from"
	if !d.isSet(here) || !e.Deploys() {
		return
	}
	source, ok := p.Environments[e.From]
	switch {
	case string(e.From) == name:
		d.addError(here, "name another environment", "%s: an environment cannot promote from itself", here)
	case !ok:
		others := slices.DeleteFunc(p.EnvironmentNames(), func(n string) bool { return n == name })
		d.addError(here, fault.DidYouMean(string(e.From), others), "%s: environment %q not found", here, e.From)
	case !source.Deploys():
		d.addError(here, "name an environment with a target", "%s: %s deploys nothing, because its runs end after %s", here, e.From, source.Until)
	case promotesFrom(p.Environments, e.From, delivery.Environment(name)):
		d.addError(here, "remove one of them", "%s: %s itself promotes from %s", here, e.From, name)
	}
	d.rejectKeys(at, []string{"model"}, fmt.Sprintf("not used, because releases are promoted from %s", e.From))
}

// promotesFrom reports whether the releases of an environment come from another one
// over any number of promotions.
func promotesFrom(all map[delivery.Environment]Environment, name, source delivery.Environment) bool {
	for range all {
		if name = all[name].From; name == source {
			return true
		}
	}
	return false
}

func (d *decoder) validateEnvironmentDeploy(at string, common Deploy, e Environment) {
	own := e.Deploy
	d.rejectReferences(at+".env", common, e)
	if own == nil || !e.Deploys() {
		return
	}
	d.validateVariables(at+".env", own.Env, referencesAllowed)
	d.validateSmokes(at+".smoke", own.Smoke)
	able := e.Target.Abilities.Manifests
	for key, paths := range map[string][]string{"manifests": own.Manifests, "values": own.Values} {
		here := at + "." + key
		if d.isSet(here) && !able && e.Target.Kind != "" {
			d.addError(here, "remove it", "%s: not used by %s targets", here, e.Target.Kind)
			continue
		}
		d.validateManifestPaths(here, paths)
	}
	if len(own.Values) > 0 && len(own.Manifests)+len(common.Manifests) == 0 {
		d.addError(at+".values", "add the chart's folder to deploy.manifests", "%s.values: requires a Helm chart in the manifests", at)
	}
}

// rejectReferences refuses ${NAME} in the service's variables where the target does
// not expand it.
func (d *decoder) rejectReferences(own string, common Deploy, e Environment) {
	if !e.Deploys() || e.Target.Kind == "" || e.Target.Abilities.Variables {
		return
	}
	env := e.Overrides().Apply(delivery.Workload{Env: common.Env}).Env
	for _, name := range slices.Sorted(maps.Keys(env)) {
		if !strings.Contains(env[name], "${") {
			continue
		}
		here := "deploy.env." + name
		if d.isSet(own + "." + name) {
			here = own + "." + name
		}
		d.addError(here, "reference a Secret in your manifests, or write the literal value: it is recorded, so it must not be a secret",
			"%s: ${...} is not expanded by %s targets", here, e.Target.Kind)
	}
}

func (d *decoder) validateEnvironmentModel(at string, common *Model, e Environment) {
	own := e.Model
	if own == nil || e.From != "" {
		return
	}
	trains := common != nil && common.Train != nil
	if !trains {
		d.rejectKeys(at, []string{"train", "approve", "gates"}, "requires a top-level model.train")
		return
	}
	if t := own.Train; t != nil && t.Never {
		d.rejectKeys(at, []string{"approve", "gates"}, "not used with train: false")
	} else if t != nil {
		if d.isSet(at + ".train.run") {
			d.validateCommand(at+".train.run", t.Run, append([]string{"Output"}, dataFields(*common)...))
		}
		d.validateVariables(at+".train.env", t.Env, referencesAllowed)
	}
	d.validateGates(at+".gates", own.Gates)
}
