package config

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/extension"
)

// AWS is where the project is in AWS.
type AWS struct {
	Account string `yaml:"account" jsonschema_description:"Account, twelve digits in quotes. Credentials of another one are refused before anything is written. Default: whichever the credentials are of."`
	Region  string `yaml:"region" jsonschema_description:"Region. The variable AWS_REGION does not count."`
	Metrics string `yaml:"metrics" json:",omitempty" jsonschema_description:"Namespace of CloudWatch in which each run publishes its metrics. Default: none are published."`
	Logs    string `yaml:"logs" json:",omitempty" jsonschema_description:"Log group of CloudWatch Logs in which each run writes a stream ENVIRONMENT/RUN. It must exist. Default: none is written."`

	GitHub         *GitHub    `yaml:"github" json:",omitempty" jsonschema_description:"Repository of GitHub whose jobs may assume the roles, by their OIDC tokens."`
	OIDC           *OIDC      `yaml:"oidc" json:",omitempty" jsonschema_description:"Another issuer of OIDC tokens whose jobs may assume the roles, such as GitLab."`
	Principals     StringList `yaml:"principals" json:",omitempty" jsonschema_description:"ARNs of users and roles that may assume the environments' roles, such as yours: one or a list."`
	ServiceAccount string     `yaml:"service_account" json:",omitempty" jsonschema_description:"ServiceAccount of the service's pods, which get a role that may read the model (EKS Pod Identity). Requires model.deliver: env."`
}

// GitHub is a repository, by its name and by the numbers that a recycled name does not have.
type GitHub struct {
	Repository string `yaml:"repository" jsonschema:"required" jsonschema_description:"OWNER/NAME, as GitHub writes it."`
	ID         string `yaml:"id" jsonschema_description:"Number of the repository, in quotes: gh api repos/OWNER/NAME --jq .id"`
	OwnerID    string `yaml:"owner_id" jsonschema_description:"Number of the owner, in quotes: gh api repos/OWNER/NAME --jq .owner.id"`
}

// OIDC is an issuer of tokens.
type OIDC struct {
	Issuer   string     `yaml:"issuer" jsonschema:"required" jsonschema_description:"URL of the issuer, such as https://gitlab.com."`
	Audience string     `yaml:"audience" jsonschema:"required" jsonschema_description:"Audience of the tokens."`
	Subjects StringList `yaml:"subjects" jsonschema:"required" jsonschema_description:"Subjects that enter an environment: one or a list. {environment} is its name; {ref} and {ref_type} (branch, tag) are each of the branches and tags that its on names: project_path:GROUP/NAME:ref_type:{ref_type}:ref:{ref}"`
}

// EnvironmentAWS is what an environment changes in where it is in AWS.
type EnvironmentAWS struct {
	Account string `yaml:"account" jsonschema_description:"Account, instead of the common one."`
	Region  string `yaml:"region" jsonschema_description:"Region, instead of the common one."`
	Role    string `yaml:"role" jsonschema_description:"ARN of the role that deploys here. It is assumed from the credentials, or by the OIDC token of a job of GitHub Actions."`
}

const (
	accountPattern   = `^[0-9]{12}$`
	regionPattern    = `^[a-z]{2}(-[a-z]+)+-[0-9]$`
	rolePattern      = arnStart + `aws(-cn|-us-gov)?:iam::[0-9]{12}:role/[\w+=,.@/-]{1,575}$` // a path of 512, and a name of 64
	namespacePattern = `^[A-Za-z0-9._#-][A-Za-z0-9._/#-]{0,254}$`
	logGroupPattern  = `^[.\-_/#A-Za-z0-9]{1,512}$`
)

// AWSOf returns where the environment is in AWS.
func (p *Project) AWSOf(env delivery.Environment) extension.AWS {
	e := p.Environments[env].AWS
	return extension.AWS{Account: cmp.Or(e.Account, p.AWS.Account), Region: cmp.Or(e.Region, p.AWS.Region), Role: e.Role}
}

// resolveAWS gives the sections that are in AWS the account, the region and the role of
// their environments.
func (d *decoder) resolveAWS() {
	d.resolveRegistryAWS()
	if m := d.project.Model; m != nil && m.Train != nil {
		d.resolveRunner("model.train.on", m.Train.On)
	}
	if m := d.project.Model; m != nil && m.Evaluate != nil {
		d.resolveRunner("model.evaluate.on", m.Evaluate.On)
	}
	for _, name := range slices.Sorted(maps.Keys(d.project.Environments)) {
		e := d.project.Environments[name]
		user, ok := e.Target.Section.(extension.AWSUser)
		if !ok {
			continue
		}
		path := "environments." + string(name) + ".target"
		a := d.project.AWSOf(name)
		if a.Region == "" {
			d.addError(path, "add aws: {region: ...}", "%s: the region of AWS is not set", path)
		}
		user.UseAWS(a)
		location, err := delivery.NewLocation(e.Target.Section)
		if err != nil {
			d.addError(path, "", "%s: %v", path, err)
		}
		e.Target.Location = location
		d.project.Environments[name] = e
	}
}

// resolveRegistryAWS gives a model registry that is in AWS the project's account and
// region.
func (d *decoder) resolveRegistryAWS() {
	if d.project.Model == nil {
		return
	}
	user, ok := d.project.Model.Registry.Section.(extension.AWSUser)
	if !ok {
		return
	}
	if d.project.AWS.Region == "" {
		d.addError("model.registry", "add aws: {region: ...}", "model.registry: the region of AWS is not set")
	}
	user.UseAWS(extension.AWS{Account: d.project.AWS.Account, Region: d.project.AWS.Region})
}

// resolveRunner gives a job runner that is in AWS the common account and region: what it
// makes is of the project, whichever environment asks for it first.
func (d *decoder) resolveRunner(path string, on *Runner) {
	if on == nil {
		return
	}
	user, ok := on.Section.(extension.AWSUser)
	if !ok {
		return
	}
	if d.project.AWS.Region == "" {
		d.addError(path, "add aws: {region: ...}", "%s: the region of AWS is not set", path)
	}
	user.UseAWS(extension.AWS{Account: d.project.AWS.Account, Region: d.project.AWS.Region})
	*on = d.newRunner(on.Kind, on.Section, path)
}

func (d *decoder) validateAWS() {
	d.matchAWS("aws", d.project.AWS.Account, d.project.AWS.Region, "")
	if m := d.project.AWS.Metrics; m != "" {
		d.matchPattern("aws.metrics", m, namespacePattern, "such as Slipway")
		if strings.HasPrefix(m, "AWS/") {
			d.addError("aws.metrics", "such as Slipway", "aws.metrics: %s is a namespace of AWS's own, which takes no metrics", m)
		}
	}
	if g := d.project.AWS.Logs; g != "" {
		d.matchPattern("aws.logs", g, logGroupPattern, "such as /slipway/retail")
	}
	for _, key := range []string{"aws.metrics", "aws.logs"} {
		if d.isSet(key) && d.project.AWS.Region == "" {
			d.addError(key, "add aws: {region: ...}", "%s: the region of AWS is not set", key)
		}
	}
	d.validateTrusted()
	for _, name := range slices.Sorted(maps.Keys(d.project.Environments)) {
		a := d.project.Environments[name].AWS
		d.matchAWS("environments."+string(name)+".aws", a.Account, a.Region, a.Role)
	}
}

func (d *decoder) matchAWS(path, account, region, role string) {
	for _, key := range []struct{ name, text, pattern, hint string }{
		{"account", account, accountPattern, `twelve digits in quotes: "111122223333"`},
		{"region", region, regionPattern, "such as ap-southeast-1"},
		{"role", role, rolePattern, "such as arn:aws:iam::111122223333:role/deploy-prod"},
	} {
		if key.text != "" {
			d.matchPattern(path+"."+key.name, key.text, key.pattern, key.hint)
		}
	}
}
