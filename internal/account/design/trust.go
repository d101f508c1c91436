package design

import (
	"maps"
	"slices"
	"strings"

	"github.com/slipway-cd/slipway/internal/account"
	"github.com/slipway-cd/slipway/internal/config"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
)

// trust decides who may assume the roles. One that no job and no user could assume is fault.Invalid:
// AWS takes no such trust.
func (d *designer) trust() error {
	issuers := d.issuers()
	if g := d.project.AWS.GitHub; g != nil && d.hasPulls() && d.isCommon() {
		d.pulls() // also where nothing is read
	}
	for _, arn := range slices.Sorted(maps.Keys(d.roles)) {
		r := d.roles[arn]
		switch {
		case r.service == "pods.eks.amazonaws.com": // has its trust
			continue
		case r.service != "":
			r.trust = []account.Statement{account.TrustService(r.service, d.options.Account)}
			continue
		case arn == d.global("iam", "role/"+d.newName("pull-request")):
			d.trustPulls(r, issuers)
			continue
		}
		d.trustJobs(r, issuers)
		if len(r.trust) == 0 {
			return d.untrusted(r)
		}
	}
	return nil
}

// issuers are those that the file names. They become providers of the account.
func (d *designer) issuers() []account.Issuer {
	var all []account.Issuer
	if g := d.project.AWS.GitHub; g != nil {
		i := account.GitHub(d.global("iam", "oidc-provider/"+account.GitHubHost), g.Repository, g.ID, g.OwnerID)
		d.addProvider(i, "tokens of jobs of GitHub Actions")
		all = append(all, i)
	}
	if o := d.project.AWS.OIDC; o != nil {
		host := strings.TrimPrefix(o.Issuer, "https://")
		i := account.Issuer{Provider: d.global("iam", "oidc-provider/"+host), Host: host, Audience: o.Audience, Subjects: o.Subjects}
		d.addProvider(i, "tokens of jobs of "+host)
		all = append(all, i)
	}
	return all
}

func (d *designer) addProvider(i account.Issuer, why string) {
	d.add(account.Resource{
		Kind: account.KindProvider, Name: i.Host, ARN: i.Provider, Shared: true, Why: why,
		Spec: account.Provider{URL: i.Host, Audiences: []string{i.Audience}},
	})
}

func (d *designer) hasPulls() bool {
	for _, e := range d.project.Environments {
		if len(e.On.PullRequest) > 0 {
			return true
		}
	}
	return false
}

// trustPulls lets pull requests in. Only GitHub tells them apart by their subject; without
// it there is no such role.
func (d *designer) trustPulls(r *role, issuers []account.Issuer) {
	for _, i := range issuers {
		if i.Host == account.GitHubHost {
			r.trust = []account.Statement{i.Pulls()}
			return
		}
	}
	delete(d.roles, r.arn)
}

func (d *designer) trustJobs(r *role, issuers []account.Issuer) {
	for _, env := range r.enters {
		refs := refsOf(d.project.Environments[env].On)
		for _, i := range issuers {
			r.trust = append(r.trust, i.Enter(string(env), refs)...)
		}
	}
	if people := d.project.AWS.Principals; r.people && len(people) > 0 {
		r.trust = append(r.trust, account.TrustPrincipals(people))
	}
}

// untrusted is the error of a role that no job and no user may assume.
func (d *designer) untrusted(r *role) error {
	if d.project.AWS.GitHub == nil && d.project.AWS.OIDC == nil {
		return fault.New(fault.Invalid, "%s does not say who may assume the role %s", config.FileName, r.name()).
			Hint(`name the repository of GitHub, aws: {github: {repository: OWNER/NAME, id: "...", owner_id: "..."}} (gh api repos/OWNER/NAME --jq '.id, .owner.id' prints both numbers), another issuer with aws.oidc, or users and roles with aws.principals`)
	}
	env := delivery.Environment("ENVIRONMENT")
	if len(r.enters) > 0 {
		env = r.enters[0]
	}
	return fault.New(fault.Invalid, "no job could assume the role %s: environments.%s.on names no branch and no tag", r.name(), env).
		Hint("name them, such as on: {push: main}: a job of any other branch may name the environment, too; or list users and roles in aws.principals")
}

// refsOf are the branches and tags that enter an environment by what the file says.
func refsOf(on config.Triggers) []account.Ref {
	if on.Dispatch == config.AnyDispatch {
		return []account.Ref{{Pattern: "*"}, {Tag: true, Pattern: "*"}}
	}
	var all []account.Ref
	for _, glob := range on.Push {
		all = append(all, refs(glob, false)...)
	}
	for _, glob := range on.Tag {
		all = append(all, refs(glob, true)...)
	}
	return all
}

func refs(glob string, tag bool) []account.Ref {
	var all []account.Ref
	for _, pattern := range patternsOf(glob) {
		all = append(all, account.Ref{Tag: tag, Pattern: pattern})
	}
	return all
}
