package awstest

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// AddTrustedRole makes a role with a trust policy. The issuer signs the tokens of web
// identities; nil: none may assume it. As AWS does since 2025, a policy that lets
// GitHub's tokens in without a condition on their subject is refused.
func (c *Cloud) AddTrustedRole(name, trust string, issuer *Issuer) error {
	p, err := ParsePolicy(trust)
	if err != nil {
		return fmt.Errorf("role %s: %w", name, err)
	}
	for _, s := range p.Statement {
		if s.Effect == "Allow" && slices.ContainsFunc(s.Principal["Federated"], isGitHub) && !s.testsSubject() {
			return errors.New("role " + name + ": MalformedPolicyDocument: the trust of token.actions.githubusercontent.com must evaluate its sub")
		}
	}
	r := Role{Name: name, Trust: &p}
	if issuer != nil {
		r.WebIdentity = &WebIdentity{Issuer: issuer}
	}
	c.AddRole(r)
	return nil
}

func isGitHub(provider string) bool {
	return strings.HasSuffix(provider, "oidc-provider/token.actions.githubusercontent.com")
}

// testsSubject reports whether a condition that an absent or any subject would not meet
// is there.
func (s Statement) testsSubject() bool {
	for operator, keys := range s.Condition {
		values := keys["token.actions.githubusercontent.com:sub"]
		name := base(operator)
		if len(values) > 0 && !slices.Contains(values, "*") && (name == "StringEquals" || name == "StringLike") && !strings.HasPrefix(operator, "ForAllValues:") {
			return true
		}
	}
	return false
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

// principalNames are the ARNs by which a trust policy may name who calls.
func (c *Cloud) principalNames(p Principal) []string {
	names := []string{p.ARN, "arn:aws:iam::" + c.Account + ":root", c.Account}
	if role := p.Role(); role != "" {
		names = append(names, "arn:aws:iam::"+c.Account+":role/"+role)
	}
	return names
}

// trustsToken evaluates the trust policy for a token whose signature was verified.
func (c *Cloud) trustsToken(role Role, in assumeInput) bool {
	issuer := role.WebIdentity.Issuer.URL
	claims, err := claimsOf(in.WebIdentityToken)
	if err != nil {
		return false
	}
	keys := map[string][]string{}
	for name, value := range claims {
		keys[issuer+":"+name] = []string{fmt.Sprint(value)}
	}
	provider := "arn:aws:iam::" + c.Account + ":oidc-provider/" + issuer
	return role.Trust.trusts("Federated", []string{provider}, Access{Action: "sts:AssumeRoleWithWebIdentity", Keys: keys})
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
