package config

import (
	"fmt"
	"strings"

	"github.com/slipway-cd/slipway/internal/delivery"
)

const (
	githubPattern    = `^[A-Za-z0-9]([A-Za-z0-9-]{0,38}[A-Za-z0-9])?/[A-Za-z0-9._-]{1,100}$`
	numberPattern    = `^[1-9][0-9]{0,19}$`
	issuerPattern    = `^https://[a-z0-9]([a-z0-9.-]{0,252}[a-z0-9])?(:[0-9]{1,5})?(/[A-Za-z0-9._~-]{1,100}){0,8}$`
	audiencePattern  = `^[!-~]{1,255}$`
	subjectPattern   = `^[!-)+->@-~]{1,1000}$` // printable, without * and ?
	principalPattern = arnStart + `aws(-cn|-us-gov)?:iam::[0-9]{12}:(user|role)/[\w+=,.@/-]{1,575}$`
	maxTrusted       = 20 // of subjects and of principals: a trust holds 2048 characters, or 4096
)

// validateTrusted checks who may assume the roles of the project.
func (d *decoder) validateTrusted() {
	a := d.project.AWS
	d.validateGitHub(a.GitHub)
	d.validateOIDC(a.OIDC)
	for i, arn := range a.Principals {
		d.matchPattern(d.listPath("aws.principals", i), arn, principalPattern, "such as arn:aws:iam::111122223333:user/alice; an account as a whole is not taken")
	}
	if len(a.Principals) > maxTrusted {
		d.addError("aws.principals", "let them assume one role that is named here", "aws.principals: %d, at most %d", len(a.Principals), maxTrusted)
	}
	if a.ServiceAccount == "" {
		return
	}
	d.matchPattern("aws.service_account", a.ServiceAccount, delivery.LabelPattern, "lower-case letters, digits and dashes, at most 63")
	if m := d.project.Model; m == nil || m.Deliver != delivery.DeliverByEnv {
		d.addError("aws.service_account", "remove it, or set model.deliver: env", "aws.service_account: the pods read nothing in AWS")
	}
}

func (d *decoder) validateGitHub(g *GitHub) {
	if g == nil {
		return
	}
	d.matchPattern("aws.github.repository", g.Repository, githubPattern, "OWNER/NAME")
	command := fmt.Sprintf("gh api repos/%s --jq '.id, .owner.id' prints both", g.Repository)
	for _, n := range []struct{ key, text, of string }{{"id", g.ID, "repository"}, {"owner_id", g.OwnerID, "owner"}} {
		at := "aws.github." + n.key
		switch {
		case !d.isSet(at):
			d.addError("aws.github", command, "%s is missing: a name that is given to another %s would be trusted", at, n.of)
		default:
			d.matchPattern(at, n.text, numberPattern, "the number in quotes; "+command)
		}
	}
}

func (d *decoder) validateOIDC(o *OIDC) {
	if o == nil {
		return
	}
	d.matchPattern("aws.oidc.issuer", o.Issuer, issuerPattern, "such as https://gitlab.example.com")
	d.matchPattern("aws.oidc.audience", o.Audience, audiencePattern, "such as sts.amazonaws.com")
	if strings.HasSuffix(o.Issuer, "://token.actions.githubusercontent.com") {
		d.addError("aws.oidc.issuer", "use aws.github, which tests the repository's number, too", "aws.oidc.issuer: that is GitHub's")
	}
	if len(o.Subjects) > maxTrusted {
		d.addError("aws.oidc.subjects", "name fewer of them", "aws.oidc.subjects: %d, at most %d", len(o.Subjects), maxTrusted)
	}
	for i, s := range o.Subjects {
		at := d.listPath("aws.oidc.subjects", i)
		d.matchPattern(at, s, subjectPattern, "a subject without * and ?")
		if !strings.Contains(s, "{environment}") && !strings.Contains(s, "{ref}") {
			d.addError(at, "such as project_path:GROUP/NAME:ref_type:{ref_type}:ref:{ref}", "%s: without {ref} or {environment} it would enter every environment", at)
		}
	}
}

// listPath is the key of the i-th of one or a list.
func (d *decoder) listPath(key string, i int) string {
	if at := fmt.Sprintf("%s[%d]", key, i); d.isSet(at) {
		return at
	}
	return key
}
