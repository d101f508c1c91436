package awstest

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/slipway-cd/slipway/internal/adapter/aws/awstest/iamdata"
)

// AddTrustedRole makes a role with a trust policy. The issuer signs the tokens of web
// identities; nil: none may assume it. As AWS does since 2025, a policy that lets
// GitHub's tokens in without a condition on their subject is refused.
func (c *Cloud) AddTrustedRole(name, trust string, issuer *Issuer) error {
	p, err := ParsePolicy(trust)
	if err != nil {
		return fmt.Errorf("role %s: %w", name, err)
	}
	if err := p.checkShared(); err != nil {
		return fmt.Errorf("role %s: %w", name, err)
	}
	r := Role{Name: name, Trust: &p}
	if issuer != nil {
		r.WebIdentity = &WebIdentity{Issuer: issuer}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.addRole(r).trust = trust
	return nil
}

// denies reports whether a statement about one of the names denies an access.
func (p Policy) denies(names []string, a Access) bool {
	return slices.ContainsFunc(p.Statement, func(s Statement) bool {
		named := slices.ContainsFunc(s.Principal["AWS"], func(want string) bool { return want == "*" || slices.Contains(names, want) })
		return s.Effect == "Deny" && named && s.matches(a)
	})
}

// trusts evaluates the trust policy for a principal of the account.
func (p Policy) trusts(kind string, names []string, a Access) bool {
	result := NotAllowed
	for _, s := range p.Statement {
		named := slices.ContainsFunc(s.Principal[kind], func(want string) bool { return want == "*" || slices.Contains(names, want) })
		if !named || !s.matches(a) {
			continue
		}
		if s.Effect == "Deny" {
			return false
		}
		result = Allowed
	}
	return result == Allowed
}

// servicesTrusted reports whether a service can assume a role. One without a trust policy
// is not looked at: tests of services need no roles.
func (c *Cloud) servicesTrusted(role, service string) bool {
	r := c.iam.roles[role[strings.LastIndex(role, "/")+1:]]
	if r == nil || r.Trust == nil {
		return true
	}
	keys := map[string][]string{"aws:SourceAccount": {c.Account}}
	return r.arn(c.Account) == role && !c.clock().Before(r.usable) && r.Trust.trusts("Service", []string{service}, Access{Action: "sts:AssumeRole", Keys: keys})
}

// principalNames are the ARNs by which a trust policy may name who calls.
func (c *Cloud) principalNames(p Principal) []string {
	names := []string{p.ARN, "arn:aws:iam::" + c.Account + ":root", c.Account}
	if role := p.Role(); role != "" {
		names = append(names, "arn:aws:iam::"+c.Account+":role/"+role)
	}
	return names
}

// trustsToken evaluates the trust policy for a token whose signature was verified. Of its
// claims AWS makes condition keys of some, which depends on the issuer.
func (c *Cloud) trustsToken(trust *Policy, issuer, token string) bool {
	claims, err := claimsOf(token)
	if err != nil {
		return false
	}
	data, err := iamdata.Load()
	if err != nil {
		return false
	}
	known := data.Services["sts"].Actions["assumerolewithwebidentity"].Keys
	keys := map[string][]string{}
	for name, value := range claims {
		if key := issuer + ":" + name; slices.Contains(standardClaims, name) || slices.Contains(known, key) {
			keys[key] = texts(value)
		}
	}
	provider := c.iamARN("oidc-provider/" + issuer)
	return trust.trusts("Federated", []string{provider}, Access{Action: "sts:AssumeRoleWithWebIdentity", Keys: keys})
}

// texts are a claim's values.
func texts(value any) (all []string) {
	list, ok := value.([]any)
	if !ok {
		list = []any{value}
	}
	for _, v := range list {
		all = append(all, fmt.Sprint(v))
	}
	return all
}

func claimsOf(token string) (claims map[string]any, err error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil, errors.New("not a token")
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return nil, err
	}
	return claims, json.Unmarshal(text, &claims)
}
