package account

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// GitHubHost is the issuer of GitHub's tokens, without https://.
const GitHubHost = "token.actions.githubusercontent.com"

// STSAudience is the audience of tokens for AWS.
const STSAudience = "sts.amazonaws.com"

// Issuer is who signs the tokens of jobs, and what of them is trusted.
type Issuer struct {
	Provider string // ARN of the OIDC provider in the account
	Host     string // without https://, with its path
	Audience string
	// Subjects are templates: {environment} is an environment's name; {ref} and {ref_type} are
	// each of its branches and tags.
	Subjects []string
	// Claims are further claims that have to have the value, by their names. AWS tests those
	// of GitHub; of most other issuers it knows the subject and the audience only.
	Claims map[string]string
	// RefClaim is the claim that holds the full name of the branch or tag, such as
	// refs/heads/main; empty: AWS tests none, so subjects have to hold it.
	RefClaim string
}

// GitHub is the issuer of a repository's jobs. Subjects are in both of GitHub's forms: that
// of names alone, and that with IDs. A name that was given away has another ID, whichever
// form it sends.
func GitHub(provider, repository, id, ownerID string) Issuer {
	owner, name, _ := strings.Cut(repository, "/")
	return Issuer{
		Provider: provider, Host: GitHubHost, Audience: STSAudience,
		Subjects: []string{
			fmt.Sprintf("repo:%s/%s:environment:{environment}", owner, name),
			fmt.Sprintf("repo:%s@%s/%s@%s:environment:{environment}", owner, ownerID, name, id),
		},
		Claims: map[string]string{"repository_id": id}, RefClaim: "ref",
	}
}

// ForPulls is the issuer for jobs of GitHub for pull requests: they have neither an
// environment nor a branch of the repository.
func (i Issuer) ForPulls() Issuer {
	i.RefClaim = ""
	subjects := slices.Clone(i.Subjects)
	for n, s := range subjects {
		subjects[n] = strings.TrimSuffix(s, "environment:{environment}") + "pull_request"
	}
	i.Subjects = subjects
	return i
}

// Ref is a branch or a tag, or a pattern of them.
type Ref struct {
	Tag     bool
	Pattern string // of IAM: * is any text, ? a character; variables are escaped
}

// IsExact reports whether the ref is one.
func (r Ref) IsExact() bool { return !strings.ContainsAny(r.Pattern, "*?") }

func (r Ref) kind() string {
	if r.Tag {
		return "tag"
	}
	return "branch"
}

func (r Ref) full() string {
	if r.Tag {
		return "refs/tags/" + r.Pattern
	}
	return "refs/heads/" + r.Pattern
}

// Enter are the statements by which jobs of an environment assume a role: from exactly
// these refs. Patterns get a statement of their own, and are patterns of the ref only.
func (i Issuer) Enter(environment string, refs []Ref) []Statement {
	var all []Statement
	for _, exact := range []bool{true, false} {
		var chosen []Ref
		for _, r := range refs {
			if r.IsExact() == exact {
				chosen = append(chosen, r)
			}
		}
		if len(chosen) > 0 {
			all = append(all, i.statement(environment, chosen, exact))
		}
	}
	return all
}

// statement trusts refs that are all exact, or all patterns.
func (i Issuer) statement(environment string, refs []Ref, exact bool) Statement {
	operator := "StringLike"
	if exact {
		operator = "StringEquals"
	}
	s := i.base(strings.TrimSpace("Enter " + environment))
	byRef := strings.Contains(strings.Join(i.Subjects, " "), "{ref}")
	subjectOperator := "StringEquals"
	if byRef {
		subjectOperator = operator
	}
	s.add(subjectOperator, i.key("sub"), i.subjects(environment, refs)...)
	if i.RefClaim != "" {
		for _, r := range refs {
			s.add(operator, i.key(i.RefClaim), r.full())
		}
	}
	why := "because jobs of the environment " + environment + " work with this role"
	if i.RefClaim == "" && !byRef {
		why += "; no claim that AWS tests holds the branch: let the issuer give this subject to jobs of its branches only"
	}
	s.Needs = []Need{{Step: "the job", Call: "sts:AssumeRoleWithWebIdentity", Why: why}}
	return s.normal()
}

// Pulls is the statement by which jobs for pull requests assume a role.
func (i Issuer) Pulls() Statement {
	s := i.base("EnterPullRequests")
	s.add("StringEquals", i.key("sub"), i.ForPulls().Subjects...)
	s.Needs = []Need{{Step: "the job", Call: "sts:AssumeRoleWithWebIdentity", Why: "because jobs for pull requests read with this role, and with no other"}}
	return s.normal()
}

// base tests what every token has to have.
func (i Issuer) base(name string) Statement {
	s := Statement{
		Sid: identifier(name), Actions: []string{"sts:AssumeRoleWithWebIdentity"},
		Principals: Principals{"Federated": {i.Provider}}, Conditions: Conditions{},
	}
	s.add("StringEquals", i.key("aud"), i.Audience)
	for name, value := range i.Claims {
		s.add("StringEquals", i.key(name), value)
	}
	return s
}

func (s *Statement) add(operator, key string, values ...string) {
	if s.Conditions[operator] == nil {
		s.Conditions[operator] = map[string][]string{}
	}
	s.Conditions[operator][key] = union(s.Conditions[operator][key], values)
}

func (i Issuer) key(claim string) string { return i.Host + ":" + claim }

// subjects expands the templates.
func (i Issuer) subjects(environment string, refs []Ref) []string {
	var all []string
	for _, template := range i.Subjects {
		if !strings.Contains(template, "{ref") {
			all = append(all, expand(template, environment, Ref{}))
			continue
		}
		for _, r := range refs {
			all = append(all, expand(template, environment, r))
		}
	}
	return all
}

// expand fills in a template, whose own text stands for itself.
func expand(template, environment string, r Ref) string {
	names := strings.NewReplacer("{environment}", environment, "{ref}", r.Pattern, "{ref_type}", r.kind(), "${", "${$}{")
	return names.Replace(template)
}

// EscapeVariables makes a text stand for itself in a policy, whose values have variables.
func EscapeVariables(text string) string { return strings.ReplaceAll(text, "${", "${$}{") }

const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

// identifier makes an identifier of a statement: letters and digits.
func identifier(text string) string {
	var b strings.Builder
	upper := false
	for _, r := range text {
		switch {
		case r >= 'a' && r <= 'z' && upper:
			b.WriteRune(r - 'a' + 'A')
		case strings.ContainsRune(letters, r):
			b.WriteRune(r)
		}
		upper = !strings.ContainsRune(letters, r)
	}
	return cmp.Or(b.String(), "Statement")
}

// TrustPrincipals lets users and roles assume a role.
func TrustPrincipals(arns []string) Statement {
	return Statement{
		Sid: "EnterPeople", Actions: []string{"sts:AssumeRole"}, Principals: Principals{"AWS": sorted(arns)},
		Needs: []Need{{Step: "a command", Call: "sts:AssumeRole", Why: "because aws.principals names them"}},
	}
}

// TrustService lets a service of AWS assume a role, for this account only.
func TrustService(service, account string) Statement {
	return Statement{
		Sid: "EnterService", Actions: []string{"sts:AssumeRole"}, Principals: Principals{"Service": {service}},
		Conditions: Conditions{"StringEquals": {"aws:SourceAccount": {account}}},
		Needs:      []Need{{Step: "the service", Call: "sts:AssumeRole", Why: "because the service works with this role, on behalf of this account and of no other"}},
	}
}

// TrustPods lets EKS give a role to pods: Pod Identity.
func TrustPods(account, clusterARN string) Statement {
	return Statement{
		Sid: "EnterPods", Actions: []string{"sts:AssumeRole", "sts:TagSession"}, Principals: Principals{"Service": {"pods.eks.amazonaws.com"}},
		Conditions: Conditions{"StringEquals": {"aws:SourceAccount": {account}, "aws:SourceArn": {clusterARN}}},
		Needs:      []Need{{Step: "the service's pods", Why: "because EKS gives them this role, in this cluster only"}},
	}
}

// TrustServiceAccount lets the pods of a ServiceAccount assume a role by the tokens of
// their cluster: IRSA, for pods on Fargate, which have no Pod Identity.
func TrustServiceAccount(provider, issuer, namespace, name string) Statement {
	return Statement{
		Sid: "EnterPods", Actions: []string{"sts:AssumeRoleWithWebIdentity"}, Principals: Principals{"Federated": {provider}},
		Conditions: Conditions{"StringEquals": {issuer + ":aud": {STSAudience}, issuer + ":sub": {"system:serviceaccount:" + namespace + ":" + name}}},
		Needs:      []Need{{Step: "the service's pods", Why: "because pods on Fargate get their role by the cluster's tokens"}},
	}
}
