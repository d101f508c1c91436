package design

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/slipway-cd/slipway/internal/account"
	"github.com/slipway-cd/slipway/internal/config"
	"github.com/slipway-cd/slipway/internal/delivery"
)

// role is an identity of the project.
type role struct {
	arn         string
	description string
	why         string
	environment delivery.Environment // that it is of alone; empty: of the project
	named       bool                 // the file names it
	people      bool                 // aws.principals may assume it
	service     string               // of AWS that it is passed to; empty: jobs assume it
	enters      []delivery.Environment
	trust       []account.Statement
	rights      []account.Statement
}

// name is the last part of the ARN: roles may have a path.
func (r *role) name() string { return r.arn[strings.LastIndex(r.arn, "/")+1:] }

const maxRoleName = 64 // Source: CreateRole in IAM's API reference

// newName makes a name of IAM of the project: slipway-SERVICE-PARTS. One that is too long
// ends with a digest.
func (d *designer) newName(parts ...string) string {
	name := "slipway-" + d.project.Service + "-" + strings.Join(parts, "-")
	if len(name) <= maxRoleName {
		return name
	}
	return name[:maxRoleName-9] + "-" + delivery.DigestOf([]byte(name)).Hex()[:8]
}

// role returns the role of an ARN, which is new or known.
func (d *designer) role(arn string) *role {
	if r, ok := d.roles[arn]; ok {
		return r
	}
	r := &role{arn: arn}
	d.roles[arn] = r
	return r
}

// EnvironmentRole is the ARN of the role that deploys to an environment: the file's, or one
// that is named after it.
func (d *designer) environmentRole(env delivery.Environment) *role {
	arn := d.project.Environments[env].AWS.Role
	named := arn != ""
	if !named {
		arn = d.global("iam", "role/"+d.newName(string(env)))
	}
	r := d.role(arn)
	switch {
	case r.description == "":
		r.environment, r.named, r.people = env, named, true
		r.description, r.why = "Deploys "+d.project.Service+" to "+string(env)+".", "what a run of "+string(env)+" may do"
	case r.environment != env: // environments share it
		r.environment, r.description, r.why = "", "Deploys "+d.project.Service+".", "what runs of several environments may do"
	}
	if !slices.Contains(r.enters, env) {
		r.enters = append(r.enters, env)
	}
	return r
}

// job returns the roles whose credentials a job for an environment has: the common one, or
// else the environment's own.
func (d *designer) job(env delivery.Environment) *role {
	if d.onlyPulls(env) {
		return d.pulls()
	}
	arn, ok := d.base()
	if !ok {
		return d.environmentRole(env)
	}
	r := d.section(arn)
	if !slices.Contains(r.enters, env) {
		r.enters = append(r.enters, env)
	}
	return r
}

// section returns a role that a section names.
func (d *designer) section(arn string) *role {
	r := d.role(arn)
	if r.description == "" {
		r.named, r.people = true, true
		r.description, r.why = "Builds, trains and registers "+d.project.Service+".", "what jobs may do in all environments"
	}
	return r
}

// base is the only role that sections name for their own calls: jobs have its credentials.
// Where none or several are named, jobs have those of their environments.
func (d *designer) base() (string, bool) {
	named := map[string]bool{}
	for _, u := range d.users() {
		if r := u.user.AWSRights(u.at).Role; r != "" {
			named[r] = true
		}
	}
	for arn := range named {
		return arn, len(named) == 1
	}
	return "", false
}

// onlyPulls reports whether nothing but pull requests enters the environment by itself.
func (d *designer) onlyPulls(env delivery.Environment) bool {
	on := d.project.Environments[env].On
	return len(on.PullRequest) > 0 && len(on.Push)+len(on.Tag) == 0 && on.Dispatch != config.AnyDispatch
}

// pulls is the role of jobs for pull requests.
func (d *designer) pulls() *role {
	r := d.role(d.global("iam", "role/"+d.newName("pull-request")))
	r.description, r.why = "Reads what runs of "+d.project.Service+" for pull requests need.", "what a run for a pull request may do: anybody may write its code"
	return r
}

// maxSession is how long a session may last. Slipway renews those of GitHub's jobs, and
// assumes roles again for people; tokens of other issuers can't be renewed.
func (d *designer) maxSession() time.Duration {
	if d.project.AWS.OIDC != nil {
		return 12 * time.Hour
	}
	return time.Hour
}

// addRoles makes resources of the roles.
func (d *designer) addRoles() {
	for _, arn := range slices.Sorted(maps.Keys(d.roles)) {
		r := d.roles[arn]
		if !strings.HasPrefix(arn, d.global("iam", "role/")) {
			continue // of another account
		}
		d.add(account.Resource{
			Kind: account.KindRole, Name: r.name(), ARN: arn, Why: r.why, Environment: r.environment,
			Spec: account.Role{
				Description: r.description, Trust: account.Document{Statements: account.Merge(r.trust...)}, Rights: account.Document{Statements: account.Merge(r.rights...)},
				Boundary: d.global("iam", "policy/"+d.newName("boundary")), MaxSession: d.maxSession(),
			},
		})
	}
}

// Unnamed are the lines that slipway.yaml lacks: keys of environments whose roles it does
// not name, with their ARNs.
func Unnamed(p *config.Project, s account.Set) map[string]string {
	d := &designer{project: p, options: Options{Account: s.Account, Region: s.Region}}
	lines := map[string]string{}
	for env, e := range p.Environments {
		if e.AWS.Role != "" || !d.isHere(env) {
			continue
		}
		name := d.newName(string(env))
		for _, r := range s.Resources {
			if r.Kind == account.KindRole && r.Name == name {
				lines["environments."+string(env)+".aws.role"] = r.ARN
			}
		}
	}
	return lines
}
