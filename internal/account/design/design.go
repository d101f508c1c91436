// Package design decides what a project needs in an account of AWS, from slipway.yaml
// alone: which roles there are, who may assume them and what they may do, and the
// resources that they name. It asks nothing.
package design

import (
	"cmp"
	"maps"
	"slices"

	"github.com/slipway-cd/slipway/internal/account"
	"github.com/slipway-cd/slipway/internal/config"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/extension"
	"github.com/slipway-cd/slipway/internal/fault"
)

// Options are what the file does not say.
type Options struct {
	Kinds extension.Set
	// Account and Region are the place to design for, out of Places. Empty: those of the
	// top-level aws section.
	Account, Region string
	// ClusterIssuers are the OIDC issuers of clusters whose pods run on Fargate, by the
	// clusters' names, without https://. Pods of others get their role by Pod Identity.
	ClusterIssuers map[string]string
}

// Places are the accounts and regions that the file names, the common one first. A Set is
// of one of them.
func Places(p *config.Project) []extension.AWS {
	all := []extension.AWS{{Account: p.AWS.Account, Region: p.AWS.Region}}
	for _, name := range p.EnvironmentNames() {
		at := p.AWSOf(delivery.Environment(name))
		at.Role = ""
		if !slices.Contains(all, at) {
			all = append(all, at)
		}
	}
	return all
}

// New returns what the project needs in one account and region, in the order in which it is
// made. A file without an account and a region, or without who may assume its roles, is fault.Invalid.
func New(p *config.Project, o Options) (account.Set, error) {
	o.Account, o.Region = cmp.Or(o.Account, p.AWS.Account), cmp.Or(o.Region, p.AWS.Region)
	switch {
	case o.Region == "":
		return account.Set{}, fault.New(fault.Invalid, "%s does not say in which region of AWS the project is", config.FileName).Hint("add aws: {region: ...}")
	case o.Account == "":
		return account.Set{}, fault.New(fault.Invalid, "%s does not say in which account of AWS the project is", config.FileName).Hint(`add aws: {account: "111122223333"}`)
	}
	d := &designer{project: p, options: o, roles: map[string]*role{}, resources: map[string]account.Resource{}}
	d.collect()
	if err := d.trust(); err != nil {
		return account.Set{}, err
	}
	d.addPeople()
	d.addBoundary()
	d.addRoles()
	return account.Set{Account: o.Account, Region: o.Region, Project: p.Service, Resources: d.ordered()}, nil
}

// designer collects roles and resources.
type designer struct {
	project   *config.Project
	options   Options
	roles     map[string]*role // by ARN
	resources map[string]account.Resource
}

func (d *designer) ordered() []account.Resource {
	all, order := slices.Collect(maps.Values(d.resources)), account.Kinds()
	slices.SortFunc(all, func(a, b account.Resource) int {
		return cmp.Or(cmp.Compare(slices.Index(order, a.Kind), slices.Index(order, b.Kind)), cmp.Compare(a.Name, b.Name))
	})
	return all
}

// add keeps the first of a name: sections that share a bucket or a group agree on it, and
// what one of them shares with other projects stays shared.
func (d *designer) add(r account.Resource) {
	key := string(r.Kind) + " " + r.Name
	if known, ok := d.resources[key]; ok {
		known.Shared = known.Shared || r.Shared
		if known.Environment != r.Environment {
			known.Environment = ""
		}
		r = known
	}
	d.resources[key] = r
}

// place is what a section is told of the project in an environment; "": in all of them.
func (d *designer) place(env delivery.Environment) extension.AWSPlace {
	p := extension.AWSPlace{Service: d.project.Service, Environment: string(env)}
	p.Account, p.Region = d.options.Account, d.options.Region
	if m := d.project.In(env).Model; m != nil {
		p.Group, p.Approves = m.Group, m.AutoApprove()
	}
	return p
}

// isHere reports whether the environment is in the account and region of the set.
func (d *designer) isHere(env delivery.Environment) bool {
	at := d.project.AWSOf(env)
	return cmp.Or(at.Account, d.options.Account) == d.options.Account && cmp.Or(at.Region, d.options.Region) == d.options.Region
}

// isCommon reports whether the set is where the project's own parts are.
func (d *designer) isCommon() bool {
	a := d.project.AWS
	return cmp.Or(a.Account, d.options.Account) == d.options.Account && cmp.Or(a.Region, d.options.Region) == d.options.Region
}

func (d *designer) global(service, resource string) string {
	return "arn:" + extension.PartitionOf(d.options.Region) + ":" + service + "::" + d.options.Account + ":" + resource
}
